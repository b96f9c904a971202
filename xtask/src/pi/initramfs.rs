//! The guest's files, as the kernel unpacks them: a cpio archive of the "newc" format (the kernel's driver-api/early-userspace/buffer-format).

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const FILE: u32 = 0o100_755;
const FOLDER: u32 = 0o040_755;

/// Writes an archive of the init script, files (their name in the guest, and where they are), and modules, below `modules`, in a list.
pub fn write(archive: &Path, init: &[u8], files: &[(&str, &Path)], modules: &[PathBuf]) -> Result<()> {
    let mut cpio = Cpio::default();
    for folder in ["bin", "dev", "proc", "sys", "tmp", "modules"] {
        cpio.add(folder, FOLDER, b"")?;
    }
    cpio.add("init", FILE, init)?;
    for (name, path) in files {
        cpio.add(name, FILE, &std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?)?;
    }
    let mut list = String::new();
    for path in modules {
        let name = path.file_name().context("a module without a name")?.to_string_lossy();
        cpio.add(&format!("modules/{name}"), FILE, &std::fs::read(path)?)?;
        list += &format!("{name}\n");
    }
    cpio.add("modules/list", FILE, list.as_bytes())?;
    cpio.add("TRAILER!!!", 0, b"")?;
    std::fs::write(archive, cpio.bytes).with_context(|| format!("cannot write {}", archive.display()))
}

#[derive(Default)]
struct Cpio {
    bytes: Vec<u8>,
    files: u32,
}

impl Cpio {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.files += 1;
        let length = u32::try_from(content.len()).context("a file of 4 GiB")?;
        let named = u32::try_from(name.len() + 1)?;
        // Inode, mode, user, group, links, time, length, four device numbers, name's length, checksum.
        let fields = [self.files, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, named, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            write!(self.bytes, "{field:08x}")?;
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
        Ok(())
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_what_the_kernel_reads() {
        let folder = std::env::temp_dir().join(format!("microtome-cpio-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (archive, module) = (folder.join("a.cpio"), folder.join("mc.ko"));
        std::fs::write(&module, b"12345").unwrap();
        write(&archive, b"#!", &[("bin/sh", &module)], std::slice::from_ref(&module)).unwrap();
        let bytes = std::fs::read(&archive).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let (mut at, mut names) = (0, Vec::new());
        while at < bytes.len() {
            let field = |n: usize| {
                let digits = std::str::from_utf8(&bytes[at + 6 + 8 * n..][..8]).unwrap();
                usize::from_str_radix(digits, 16).unwrap()
            };
            assert_eq!(&bytes[at..at + 6], b"070701");
            let (length, named) = (field(6), field(11));
            let name = std::str::from_utf8(&bytes[at + 110..at + 110 + named - 1]).unwrap();
            let content = (at + 110 + named).next_multiple_of(4);
            names.push((name.to_owned(), bytes[content..content + length].to_vec()));
            at = (content + length).next_multiple_of(4);
        }
        let content = |name: &str| names.iter().find(|(other, _)| other == name).unwrap().1.clone();
        assert_eq!(content("modules/mc.ko"), b"12345");
        assert_eq!(content("modules/list"), b"mc.ko\n");
        assert_eq!(content("init"), b"#!");
        assert_eq!(names.last().unwrap().0, "TRAILER!!!");
    }
}
