//! From the start of the process to one prediction.

use crate::plan::Plan;
use bench_protocol::Result;
use percept_nn::shape::Shape;

/// Prints the class of the 28x28 image in the file `pixels` (f32, little endian).
pub fn predict(onnx: &str, pixels: &str) -> Result<()> {
    let bytes = std::fs::read(pixels)?;
    let pixels: Vec<f32> =
        bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    let mut logits = Vec::new();
    Plan::new(onnx, Shape { height: 28, width: 28, channels: 1 }, 1)?.run(&pixels, &mut logits)?;
    let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    println!("{}", best.ok_or("no classes")?);
    Ok(())
}
