//! The MNIST training images as every worker reads them.

use bench_protocol::Result;
use safetensors::tensor::{Dtype, TensorView};

/// Mean and standard deviation of the training pixels, in 0 to 1.
const NORMALISATION: (f32, f32) = (0.1307, 0.3081);

/// Writes `pixels` f32 [N, 28, 28, 1], normalised, and `labels` u32.
pub fn write(path: &str) -> Result<()> {
    let digits = percept_mnist::train()?;
    let (mean, deviation) = NORMALISATION;
    let normalised = |&pixel| ((f32::from(pixel) / 255.0 - mean) / deviation).to_le_bytes();
    let pixels: Vec<u8> = digits.images.iter().flat_map(normalised).collect();
    let labels: Vec<u8> =
        digits.labels.iter().flat_map(|&label| u32::from(label).to_le_bytes()).collect();
    let shape = vec![digits.len(), percept_mnist::SIDE, percept_mnist::SIDE, 1];
    let pixels = TensorView::new(Dtype::F32, shape, &pixels)?;
    let labels = TensorView::new(Dtype::U32, vec![digits.len()], &labels)?;
    let tensors = [("pixels", pixels), ("labels", labels)];
    Ok(safetensors::serialize_to_file(tensors, None, std::path::Path::new(path))?)
}
