//! What a network is given, step by step, as files to calibrate int8 on.

use std::path::Path;

use microtome_compiler::Tensor;
use ndarray::ArrayD;
use ndarray_npy::NpzWriter;

use crate::error::Result;
use crate::sink::write_whole;

/// Writes tensors and their names to the .npz file at `path`, in float32.
///
/// # Errors
/// When the file cannot be written.
pub fn npz<'a>(path: &Path, tensors: impl Iterator<Item = (&'a str, &'a Tensor)>) -> Result<()> {
    write_whole(path, |w| {
        let mut archive = NpzWriter::new(w);
        for (name, tensor) in tensors {
            let values =
                ArrayD::from_shape_vec(tensor.shape.clone(), tensor.data.clone()).map_err(std::io::Error::other)?;
            archive.add_array(name, &values).map_err(std::io::Error::other)?;
        }
        archive.finish().map(|_| ()).map_err(std::io::Error::other)
    })
}
