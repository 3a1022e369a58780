//! Predicting with tract on images in memory.

use crate::plan::Plan;
use bench_protocol::{Peer, Result, Versions, Work};

/// One thread takes the batch, or it is dealt out to the threads, which take it image by image.
const FORMS: [&str; 2] = ["fp32 one thread", "fp32 dealt"];

/// Lets tract answer requests.
#[derive(Default)]
pub struct Tract {
    work: Option<Work>,
    /// [images, channels, height, width].
    pixels: Vec<f32>,
    plan: Option<Plan>,
    dealt: bool,
    batch: usize,
}

fn threads() -> usize {
    std::env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

impl Peer for Tract {
    fn versions(&self) -> Versions {
        Versions { version: "tract 0.23.9".into(), train: Vec::new(), predict: FORMS.to_vec() }
    }

    fn load(&mut self, work: Work) -> Result<()> {
        self.pixels = work.images.as_nchw(work.description.input);
        (self.work, self.plan) = (Some(work), None);
        Ok(())
    }

    fn train_with(&mut self, _form: &str, _batch: usize, _learning_rate: f64) -> Result<()> {
        Err("tract does not train".into())
    }

    fn step(&mut self, _first: usize, _want_loss: bool) -> Result<Option<f64>> {
        Err("tract does not train".into())
    }

    fn predict_with(&mut self, form: &str, batch: usize) -> Result<()> {
        let work = self.work.as_ref().ok_or("nothing is loaded")?;
        self.dealt = form == "fp32 dealt" && batch > 1;
        let at_once = if self.dealt { 1 } else { batch };
        self.plan = Some(Plan::new(&work.onnx, work.description.input, at_once)?);
        self.batch = batch;
        Ok(())
    }

    fn predict(&mut self, first: usize, logits: &mut Vec<f32>) -> Result<()> {
        let work = self.work.as_ref().ok_or("nothing is loaded")?;
        let plan = self.plan.as_ref().ok_or("nothing is predicted")?;
        let len = work.description.input.len();
        let pixels = &self.pixels[first * len..][..self.batch * len];
        logits.clear();
        if self.dealt { deal(plan, pixels, len, logits) } else { plan.run(pixels, logits) }
    }

    fn logits_in_training(&mut self, _first: usize, _count: usize) -> Result<Vec<f32>> {
        Err("tract does not train".into())
    }
}

/// Every thread predicts its share of the images, one after the other.
fn deal(plan: &Plan, pixels: &[f32], len: usize, logits: &mut Vec<f32>) -> Result<()> {
    let share = (pixels.len() / len).div_ceil(threads()) * len;
    let run_share = |share: &[f32]| {
        let mut logits = Vec::new();
        let outcome: Result<()> =
            share.chunks_exact(len).try_for_each(|image| plan.run(image, &mut logits));
        outcome.map(|()| logits).map_err(|error| error.to_string())
    };
    std::thread::scope(|scope| {
        let shares: Vec<_> =
            pixels.chunks(share).map(|share| scope.spawn(move || run_share(share))).collect();
        for share in shares {
            logits.extend(share.join().map_err(|_| "a thread panicked")??);
        }
        Ok(())
    })
}
