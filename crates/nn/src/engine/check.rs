//! Whether a network can be trained with given settings.

use super::{EngineSettings, MAX_BATCH_SIZE, MAX_MEMORY, ahead};
use crate::error::EngineError;
use crate::network::Network;
use crate::plan::Plan;
use percept_kernels::element::Element;

/// Checks every setting.
pub(super) fn settings<T: Element>(
    network: &Network<T>,
    settings: &EngineSettings,
) -> Result<(), EngineError> {
    let at_least_one = [
        ("batch_size", settings.batch_size),
        ("chunk_size", settings.chunk_size),
        ("lanes", settings.lanes),
    ];
    if let Some((name, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
        return Err(EngineError::Zero { name });
    }
    if settings.batch_size > MAX_BATCH_SIZE {
        return Err(EngineError::BatchSize { most: MAX_BATCH_SIZE, found: settings.batch_size });
    }
    if let Some(clip) = settings.clip_norm.filter(|clip| !(clip.is_finite() && *clip > 0.0)) {
        return Err(EngineError::ClipNorm { found: clip });
    }
    settings.loss.validate(network.description().output.len())?;
    settings.optimizer.validate()?;
    settings.average.map_or(Ok(()), |average| average.validate())?;
    Ok(())
}

/// Refuses what could only fail for want of memory: what the threads and the lanes hold, the first layer's sums for a whole
/// batch, and what there is of each parameter in any case.
pub(super) fn memory<T: Element>(
    network: &Network<T>,
    settings: &EngineSettings,
    plan: &Plan<T>,
    threads: usize,
) -> Result<(), EngineError> {
    let values = network.values().len();
    let chunks = settings.batch_size.div_ceil(plan.chunk());
    let lanes = settings.lanes.min(chunks);
    let numbers = plan
        .arena_len()
        .saturating_mul(if plan.defers() { lanes } else { threads })
        .saturating_add(lanes.saturating_mul(values))
        .saturating_add(plan.statistics_len().saturating_mul(chunks).saturating_mul(2))
        .saturating_add(plan.packed_len())
        .saturating_add(ahead::sums_len(plan, settings.batch_size, lanes))
        .saturating_add(values.saturating_mul(3));
    let bytes = numbers.saturating_mul(size_of::<T>()) as u64;
    if bytes > MAX_MEMORY {
        const GB: u64 = 1_000_000_000;
        return Err(EngineError::Memory { gigabytes: bytes / GB, most: MAX_MEMORY / GB });
    }
    Ok(())
}
