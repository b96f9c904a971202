//! The bytes of a container: a header, a table of sections, and the sections.
//!
//! Little endian throughout, as plans are. Sections follow the table in its order, without gaps.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::{Error, Result};

/// First four bytes of a container: neither a plan's nor an ONNX file's.
pub const MAGIC: [u8; 4] = *b"MTD1";

/// The version that is read and written.
pub const VERSION: u16 = 1;

/// First byte that the checksum covers: the one behind the checksum itself.
const COVERED: usize = std::mem::offset_of!(Header, checksum) + size_of::<u32>();

/// The start of the file.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct Header {
    /// [`MAGIC`].
    magic: [u8; 4],
    /// [`VERSION`].
    version: U16,
    /// Size of this record in bytes.
    header_len: U16,
    /// Size of the whole file in bytes.
    file_len: U64,
    /// CRC-32 (ISO-HDLC, as in zip) of every byte after this field.
    checksum: U32,
    /// Number of sections.
    sections: U32,
}

/// An entry of the table.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct Section {
    /// A [`Kind`].
    kind: U32,
    /// Bytes.
    len: U64,
}

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// The model's description, TOML, which may be empty.
    Description = 1,
    /// What it takes and makes ([`Facts`](super::facts::Facts)), TOML.
    Facts = 2,
    /// The graph, NNEF.
    Graph = 3,
    /// A tensor of the graph, in NNEF's encoding; as many as the facts name, in their order.
    Tensor = 4,
    /// The plan of an island; the graph calls it by its place among them.
    Plan = 5,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Description, Kind::Facts, Kind::Graph, Kind::Tensor, Kind::Plan];
}

/// The file of these sections.
pub fn emit(sections: &[(Kind, Vec<u8>)]) -> Vec<u8> {
    let table_len = size_of::<Header>() + sections.len() * size_of::<Section>();
    let len = table_len + sections.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    let header = Header {
        magic: MAGIC,
        version: VERSION.into(),
        header_len: (size_of::<Header>() as u16).into(),
        file_len: (len as u64).into(),
        checksum: 0.into(),
        sections: (sections.len() as u32).into(),
    };
    let mut file = Vec::with_capacity(len);
    file.extend_from_slice(header.as_bytes());
    for (kind, bytes) in sections {
        let entry = Section { kind: (*kind as u32).into(), len: (bytes.len() as u64).into() };
        file.extend_from_slice(entry.as_bytes());
    }
    sections.iter().for_each(|(_, bytes)| file.extend_from_slice(bytes));
    let checksum = crc32fast::hash(&file[COVERED..]);
    file[COVERED - size_of::<u32>()..COVERED].copy_from_slice(&checksum.to_le_bytes());
    file
}

/// The sections of a file.
///
/// # Errors
/// It is no container, of another version, cut off, or damaged.
pub fn parse(file: &[u8]) -> Result<Vec<(Kind, &[u8])>> {
    let wrong = |what: String| Err(Error::Container(what));
    if !file.starts_with(&MAGIC) {
        return wrong("the file does not start with MTD1".into());
    }
    let found = file.len();
    let Ok((header, rest)) = Header::ref_from_prefix(file) else {
        return wrong(format!("the file has {found} bytes, expected at least {}", size_of::<Header>()));
    };
    if header.version != VERSION {
        let version = header.version.get();
        return wrong(format!("format version {version}, expected {VERSION}; compile the model again"));
    }
    if header.file_len != found as u64 {
        return wrong(format!("the file has {found} bytes, expected {}", header.file_len));
    }
    let (checksum, expected) = (crc32fast::hash(&file[COVERED..]), header.checksum.get());
    if checksum != expected {
        return wrong(format!(
            "the contents' checksum is {checksum:08x}, expected {expected:08x}: the file is damaged"
        ));
    }
    let count = header.sections.get() as usize;
    let Ok((table, mut data)) = <[Section]>::ref_from_prefix_with_elems(rest, count) else {
        return wrong(format!("the file has {found} bytes, too few for {count} sections"));
    };
    let mut sections = Vec::with_capacity(count);
    for (index, entry) in table.iter().enumerate() {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| *kind as u32 == entry.kind.get()) else {
            return wrong(format!("section {index} is of kind {}, expected 1 to 5", entry.kind));
        };
        let bytes = usize::try_from(entry.len.get()).ok().and_then(|len| data.split_at_checked(len));
        let Some((bytes, rest)) = bytes else {
            return wrong(format!("section {index} has {} bytes, more than the file", entry.len));
        };
        sections.push((kind, bytes));
        data = rest;
    }
    if !data.is_empty() {
        return wrong(format!("{} bytes follow the last section", data.len()));
    }
    Ok(sections)
}
