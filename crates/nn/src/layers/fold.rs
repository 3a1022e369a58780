//! A batch normalisation folded into the layer before it, for inference.

use percept_kernels::element::Element;

/// scale and shift of each output channel: y = sum * scale + shift.
pub(super) struct Fold<T> {
    pub scale: Vec<T>,
    pub shift: Vec<T>,
}

impl<T: Element> Fold<T> {
    /// Of a layer's bias alone.
    pub(super) fn of_bias(bias: Option<&[T]>, channels: usize) -> Self {
        let shift = bias.map_or_else(|| vec![T::ZERO; channels], <[T]>::to_vec);
        Self { scale: vec![T::ONE; channels], shift }
    }

    /// Then of a batch norm: parameters [weight, bias], buffers [running_mean, running_var].
    pub(super) fn then_norm(mut self, eps: f64, parameters: &[T], buffers: &[T]) -> Self {
        let channels = self.scale.len();
        let (weight, bias) = parameters.split_at(channels);
        let (mean, variance) = buffers.split_at(channels);
        for c in 0..channels {
            let scale = weight[c].to_f64() / (variance[c].to_f64() + eps).sqrt();
            let shift = (self.shift[c].to_f64() - mean[c].to_f64()) * scale + bias[c].to_f64();
            self.scale[c] = T::from_f64(scale);
            self.shift[c] = T::from_f64(shift);
        }
        self
    }
}
