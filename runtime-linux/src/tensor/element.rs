//! Numbers of any of NumPy's types, read as f32.

use std::io::Read;

use half::f16;
use ndarray_npy::{ReadDataError, ReadableElement};
use py_literal::Value;

/// What a number becomes, whatever its type in the file is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Real(pub f32);

/// How numbers lie in the file.
type Decode = fn(&[u8]) -> Option<f32>;

/// Bytes of a number, and how they become one. An integer that f32 does not hold is none.
fn layout(description: &str) -> Option<(usize, Decode)> {
    macro_rules! number {
        ($kind:ty, $value:ident => $real:expr) => {{
            let decode: Decode = |bytes| {
                let $value = <$kind>::from_le_bytes(bytes.try_into().ok()?);
                $real
            };
            (size_of::<$kind>(), decode)
        }};
    }
    Some(match description {
        "<f4" => number!(f32, v => Some(v)),
        "<f8" => number!(f64, v => Some(v as f32)),
        "<f2" => number!(f16, v => Some(v.to_f32())),
        "<i8" => number!(i64, v => (v as f32 as i64 == v).then_some(v as f32)),
        "<i4" => number!(i32, v => (i64::from(v) == v as f32 as i64).then_some(v as f32)),
        "<i2" => number!(i16, v => Some(v.into())),
        "|i1" => number!(i8, v => Some(v.into())),
        "<u8" => number!(u64, v => (v as f32 as u64 == v).then_some(v as f32)),
        "<u4" => number!(u32, v => (u64::from(v) == v as f32 as u64).then_some(v as f32)),
        "<u2" => number!(u16, v => Some(v.into())),
        "|u1" | "|b1" => number!(u8, v => Some(v.into())),
        _ => return None,
    })
}

impl ReadableElement for Real {
    fn read_to_end_exact_vec<R: Read>(
        mut reader: R,
        description: &Value,
        len: usize,
    ) -> Result<Vec<Self>, ReadDataError> {
        let wrong = || ReadDataError::WrongDescriptor(description.clone());
        let Value::String(name) = description else { return Err(wrong()) };
        let (size, decode) = layout(name).ok_or_else(wrong)?;
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        let expected = len.checked_mul(size).ok_or(ReadDataError::MissingData)?;
        match bytes.len().checked_sub(expected) {
            None => return Err(ReadDataError::MissingData),
            Some(0) => {}
            Some(extra) => return Err(ReadDataError::ExtraBytes(extra)),
        }
        let number = |bytes| decode(bytes).map(Real).ok_or("an integer beyond those that float32 holds");
        bytes.chunks_exact(size).map(number).collect::<Result<_, _>>().map_err(|e| ReadDataError::ParseData(e.into()))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, arr1};
    use ndarray_npy::{ReadNpyExt, WritableElement, WriteNpyExt};

    use super::*;

    fn through<T: WritableElement + Clone>(values: &[T]) -> Result<Vec<f32>, String> {
        let mut bytes = Vec::new();
        arr1(values).write_npy(&mut bytes).unwrap();
        let read = ArrayD::<Real>::read_npy(&bytes[..]).map_err(|e| e.to_string())?;
        Ok(read.iter().map(|real| real.0).collect())
    }

    #[test]
    fn every_type_is_read() {
        assert_eq!(through(&[1.5f32, -2.0]).unwrap(), [1.5, -2.0]);
        assert_eq!(through(&[1.5f64, -2.0]).unwrap(), [1.5, -2.0]);
        assert_eq!(through(&[-999i64, 1 << 24]).unwrap(), [-999.0, 16_777_216.0]);
        assert_eq!(through(&[-7i32]).unwrap(), [-7.0]);
        assert_eq!(through(&[-7i16]).unwrap(), [-7.0]);
        assert_eq!(through(&[-7i8]).unwrap(), [-7.0]);
        assert_eq!(through(&[7u64]).unwrap(), [7.0]);
        assert_eq!(through(&[7u32]).unwrap(), [7.0]);
        assert_eq!(through(&[7u16]).unwrap(), [7.0]);
        assert_eq!(through(&[200u8]).unwrap(), [200.0]);
        assert_eq!(through(&[true, false]).unwrap(), [1.0, 0.0]);
    }

    #[test]
    fn halves_are_read() {
        let mut bytes = Vec::new();
        arr1(&[0u16, 0x3c00, 0xc000]).write_npy(&mut bytes).unwrap();
        let at = bytes.windows(3).position(|word| word == b"<u2").unwrap();
        bytes[at + 1] = b'f';
        let read = ArrayD::<Real>::read_npy(&bytes[..]).unwrap();
        assert_eq!(read.iter().map(|real| real.0).collect::<Vec<_>>(), [0.0, 1.0, -2.0]);
    }

    #[test]
    fn integers_that_would_be_rounded_are_refused() {
        assert!(through(&[(1i64 << 24) + 1]).unwrap_err().contains("beyond those that float32 holds"));
        assert!(through(&[u32::MAX]).unwrap_err().contains("beyond those that float32 holds"));
    }
}
