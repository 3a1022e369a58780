//! What a run is going to do, told before its first step.

use crate::number::{counted, grouped, percent};
use crate::settings::{optimizer_kind, schedule_kind};
use crate::{layer_table, safe_text};
use percept::data::{Augmentation, Mirror, Outside};
use percept::train::event::Plan;
use percept::train::keep::Keep;
use std::fmt::Write;

/// Data, network and plan.
pub(super) fn text(plan: &Plan<'_>) -> String {
    let config = plan.config;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<9}{value}");
    };
    line("data", data(plan));
    for note in plan.notes {
        line("", safe_text::one_line(note));
    }
    line("network", format!("{}\n", safe_text::one_line(&config.network.name)));
    line(
        "",
        layer_table::text(plan.network).replace('\n', "\n         ").trim_end().to_owned() + "\n",
    );
    line("plan", steps(plan));
    if let Some(aim) = config.stop_at {
        line("", format!("until the validation accuracy reaches {}", percent(aim)));
    }
    if config.keep != Keep::Last {
        line("", format!("keeps the epoch with the best validation {}", config.keep));
    }
    let rate = config.optimizer.learning_rate();
    let (optimizer, schedule) = (optimizer_kind(config), schedule_kind(&config.schedule));
    line("", format!("optimizer {optimizer}, learning rate {rate}, schedule {schedule}"));
    line("", augmentation(&config.augmentation));
    let weights = &config.loss.class_weights;
    if !weights.is_empty() {
        let (least, most) = (
            weights.iter().fold(f64::MAX, |a, b| a.min(*b)),
            weights.iter().fold(0.0_f64, |a, b| a.max(*b)),
        );
        line("", format!("class weights from {least:.2} to {most:.2}"));
    }
    let precision = config.precision.unwrap_or_default();
    line(
        "",
        format!(
            "{}, {} instructions, {precision} precision, seed {}",
            counted(plan.threads as u64, "thread"),
            plan.isa,
            config.seed
        ),
    );
    line("folder", safe_text::one_line(&plan.folder.display().to_string()));
    text
}

fn data(plan: &Plan<'_>) -> String {
    format!(
        "{}: {} to learn from, {} for validation, {} classes",
        safe_text::one_line(plan.data),
        counted(plan.train_examples as u64, "image"),
        grouped(plan.validation_examples as u64),
        plan.class_names.len()
    )
}

fn steps(plan: &Plan<'_>) -> String {
    let (epochs, batch) = (plan.config.epochs, plan.config.batch_size);
    let steps = format!(
        "{} of {} with {} each",
        counted(u64::from(epochs), "epoch"),
        counted(plan.total_steps / u64::from(epochs.max(1)), "step"),
        counted(batch as u64, "image")
    );
    match plan.done_steps {
        0 => steps,
        done => format!(
            "{steps}; going on after step {} of {}",
            grouped(done),
            grouped(plan.total_steps)
        ),
    }
}

fn augmentation(a: &Augmentation) -> String {
    if a.is_off() {
        return "no augmentation".to_owned();
    }
    let parts = [
        (a.rotation, format!("rotation up to {} degrees", a.rotation)),
        (a.scale, format!("scale {} %", a.scale * 100.0)),
        (a.shear, format!("shear {}", a.shear)),
        (a.shift, format!("shift up to {} px", a.shift)),
        (a.elastic_strength, format!("elastic distortion {}", a.elastic_strength)),
        (a.crop as f32, format!("shift up to {} whole px", a.crop)),
        (a.brightness, format!("brightness {} %", a.brightness * 100.0)),
        (a.contrast, format!("contrast {} %", a.contrast * 100.0)),
        (a.saturation, format!("saturation {} %", a.saturation * 100.0)),
        (a.hue, format!("hue {} % of the circle", a.hue * 100.0)),
        (
            a.operations as f32,
            format!("RandAugment {} of magnitude {}", a.operations, a.operations_magnitude),
        ),
        (a.erase as f32, format!("a square of {} px erased", a.erase)),
        (a.mixup, format!("mixup {}", a.mixup)),
        (a.cutmix, format!("CutMix {}", a.cutmix)),
    ];
    let parts = parts.into_iter().filter(|(amount, _)| *amount != 0.0).map(|(_, words)| words);
    let mirror = match a.mirror {
        Mirror::Off => None,
        Mirror::Random => Some("mirrored or not".to_owned()),
        Mirror::Alternating => Some("mirrored in every second epoch".to_owned()),
    };
    let outside = (a.outside == Outside::Reflect).then(|| "reflection beyond the edges".to_owned());
    let on: Vec<String> = parts.chain(mirror).chain(outside).collect();
    format!("augmentation: {}", on.join(", "))
}
