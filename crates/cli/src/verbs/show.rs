//! `percept show`: what a network is made of.

use crate::failure::Failure;
use crate::network_source::{self, Found};
use crate::number::{counted, percent};
use crate::verbs::info;
use crate::{diagram, filters, layer_table, output, safe_text};
use clap::Args;
use percept::model::model::Model;
use percept::nn::network::Network;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  percept show                                                 all presets, a line each
  percept show cnn                                             a preset
  percept show my-network.toml --svg my-network.svg            a network of your own, drawn
  percept show runs/mlp/model.safetensors --filters first.png  what the first layer has learned";

/// Show the layers of a preset, a network file or a model, and draw them; or list the presets
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A preset (mlp, lenet, fast, cnn and best for digits; colour-small, colour, colour-large and resnet for pictures), a
    /// network file (.toml) or a model file; without it, the presets are listed
    #[arg(value_name = "MODEL|PRESET|FILE")]
    network: Option<String>,
    /// Draw the network, from input to output, as an SVG picture
    #[arg(long, value_name = "FILE", requires = "network")]
    svg: Option<PathBuf>,
    /// Draw the weights of the first layer as a PNG picture
    #[arg(long, value_name = "FILE", requires = "network")]
    filters: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Some(name) = &arguments.network else {
        return match arguments.json {
            true => output::print_json(&info::presets_json()),
            false => output::print(&info::presets_table()),
        };
    };
    let found = network_source::find(name)?;
    let network = found.network(name)?;
    let class_names: &[String] = match &found {
        Found::Model(model) => &model.class_names,
        Found::Spec(_) => &[],
    };
    if let Some(path) = &arguments.svg {
        let drawing = diagram::svg(&network.spec().name, network.description(), class_names);
        output::write_file(path, drawing.as_bytes())?;
    }
    if let Some(path) = &arguments.filters {
        output::write_png(path, &filters::draw(&network)?.into())?;
    }
    match arguments.json {
        true => output::print_json(&json(&found, &network)),
        false => output::print(&text(&found, &network)),
    }
}

fn text(found: &Found, network: &Network) -> String {
    let mut text = format!("network {}\n\n", safe_text::one_line(&found.spec().name));
    text += &layer_table::text(network.description());
    if let Found::Model(model) = found {
        text.push('\n');
        text += &provenance(model);
    }
    text
}

/// Where a model comes from.
fn provenance(model: &Model) -> String {
    let origin = &model.provenance;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<13}{}", safe_text::one_line(value));
    };
    line("classes", &model.class_names.join(", "));
    line("trained with", &origin.data.description);
    line(
        "for",
        &format!(
            "{}, {}, seed {}",
            counted(origin.epochs, "epoch"),
            counted(origin.steps, "step"),
            origin.seed
        ),
    );
    for (name, accuracy) in [("validation", origin.validation), ("test", origin.test)] {
        if let Some(a) = accuracy {
            let share = a.correct as f64 / a.total.max(1) as f64;
            let (low, high) = (percent(a.low), percent(a.high));
            line(name, &format!("{} right (95 % interval {low} to {high})", percent(share)));
        }
    }
    line("made by", &format!("{}, version {}", origin.created_by, origin.percept_version));
    line("weights", &format!("sha256 {}", model.weight_hash()));
    text
}

fn json(found: &Found, network: &Network) -> Value {
    let mut value = layer_table::json(network.description());
    value["name"] = found.spec().name.as_str().into();
    if let Found::Model(model) = found {
        let origin = &model.provenance;
        value["class_names"] = json!(model.class_names);
        value["preprocessing"] = model.preprocessing.clone();
        value["weight_hash"] = model.weight_hash().into();
        value["provenance"] = json!({
            "percept_version": origin.percept_version,
            "created_by": origin.created_by,
            "seed": origin.seed,
            "data": { "description": origin.data.description, "sha256": origin.data.sha256 },
            "epochs": origin.epochs,
            "steps": origin.steps,
            "validation": origin.validation.map(accuracy_json),
            "test": origin.test.map(accuracy_json),
        });
    }
    value
}

fn accuracy_json(a: percept::model::provenance::MeasuredAccuracy) -> Value {
    json!({ "correct": a.correct, "total": a.total, "low": a.low, "high": a.high })
}
