//! A batch normalisation folded into the layer before it, for inference.

use percept_kernels::element::Element;

/// scale and shift of each output channel: y = sum * scale + shift.
pub(super) struct Fold<T> {
    pub scale: Vec<T>,
    pub shift: Vec<T>,
}

impl<T: Element> Fold<T> {
    /// Of a layer's bias and a batch norm behind it: parameters `[weight, bias]`, buffers `[running_mean, running_var]`.
    pub(super) fn new(bias: Option<&[T]>, eps: f64, parameters: &[T], buffers: &[T]) -> Self {
        let channels = parameters.len() / 2;
        let (weight, norm_bias) = parameters.split_at(channels);
        let (mean, variance) = buffers.split_at(channels);
        let mut fold = Self { scale: vec![T::ZERO; channels], shift: vec![T::ZERO; channels] };
        for c in 0..channels {
            let scale = weight[c].to_f64() / (variance[c].to_f64() + eps).sqrt();
            let own = bias.map_or(0.0, |bias| bias[c].to_f64());
            fold.scale[c] = T::from_f64(scale);
            fold.shift[c] = T::from_f64((own - mean[c].to_f64()) * scale + norm_bias[c].to_f64());
        }
        fold
    }

    /// A weight matrix with one column for each channel, scaled.
    pub(super) fn scaled(&self, weight: &[T]) -> Vec<T> {
        let rows = weight.chunks_exact(self.scale.len());
        rows.flat_map(|row| row.iter().zip(&self.scale).map(|(w, scale)| *w * *scale)).collect()
    }
}
