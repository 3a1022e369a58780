//! An ONNX file made ready to run.

use bench_protocol::Result;
use percept_nn::shape::Shape;
use std::sync::Arc;
use tract_onnx::prelude::*;

/// A network ready for `batch` images at once.
#[derive(Clone)]
pub struct Plan {
    model: Arc<TypedRunnableModel>,
    sizes: [usize; 4],
}

impl Plan {
    /// Reads and optimises the file.
    pub fn new(onnx: &str, shape: Shape, batch: usize) -> Result<Self> {
        let sizes = [batch, shape.channels, shape.height, shape.width];
        let model = tract_onnx::onnx()
            .model_for_path(onnx)?
            .with_input_fact(0, f32::fact(sizes).into())?
            .into_optimized()?
            .into_runnable()?;
        Ok(Self { model, sizes })
    }

    /// Logits of images [batch, channels, height, width], added to `logits`.
    pub fn run(&self, pixels: &[f32], logits: &mut Vec<f32>) -> Result<()> {
        let input = Tensor::from_shape(&self.sizes, pixels)?;
        let outputs = self.model.run(tvec!(input.into()))?;
        logits.extend_from_slice(
            outputs[0].to_plain_array_view::<f32>()?.as_slice().ok_or("not in one piece")?,
        );
        Ok(())
    }
}
