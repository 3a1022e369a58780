//! The layers of a network as a table, and as JSON.

use crate::number::{grouped, short};
use crate::safe_text;
use crate::text_table::{self, Side};
use percept::nn::describe::{Description, LayerInfo};
use percept::nn::spec::LayerSpec;
use serde_json::{Value, json};

const HEAD: [&str; 5] = ["layer", "settings", "input -> output", "parameters", "operations"];

/// The layers, one a line; those of a residual block are indented below it.
pub(crate) fn text(description: &Description) -> String {
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    add_rows(description, &description.layers, 0, &mut rows);
    rows.push(vec![
        "total".to_owned(),
        String::new(),
        format!("{} -> {}", description.input, description.output),
        grouped(description.parameter_len() as u64),
        short(description.operations()),
    ]);
    text_table::text(&[Side::Left, Side::Left, Side::Left, Side::Right, Side::Right], &rows)
}

fn add_rows(
    description: &Description,
    layers: &[LayerInfo],
    depth: usize,
    rows: &mut Vec<Vec<String>>,
) {
    for layer in layers {
        let parameters = match description.parameters_of(layer) {
            0 => String::new(),
            count => grouped(count as u64),
        };
        rows.push(vec![
            format!("{}{}", "  ".repeat(depth), safe_text::one_line(own_name(&layer.name))),
            settings(&layer.spec),
            format!("{} -> {}", layer.input, layer.output),
            parameters,
            short(layer.operations),
        ]);
        add_rows(description, &layer.main, depth + 1, rows);
        if !layer.shortcut.is_empty() {
            rows.push(vec![format!("{}shortcut", "  ".repeat(depth + 1))]);
            add_rows(description, &layer.shortcut, depth + 2, rows);
        }
    }
}

/// A layer's name without those of the blocks that it is in.
fn own_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// What is particular about a layer, in a few words: `5x5, stride 2x2`.
pub(crate) fn settings(spec: &LayerSpec) -> String {
    let mut words = Vec::new();
    match spec {
        LayerSpec::Conv(conv) => {
            words.push(conv.kernel_size.to_string());
            words.extend(unless_square("stride", conv.stride, 1));
            words.extend(unless_square("padding", conv.padding, 0));
            words.extend((conv.groups > 1).then(|| format!("{} groups", conv.groups)));
            words.extend((!conv.bias).then(|| "no bias".to_owned()));
        }
        LayerSpec::MaxPool(pool) | LayerSpec::AvgPool(pool) => {
            words.push(pool.kernel_size.to_string());
            words.extend(pool.stride.map(|stride| format!("stride {stride}")));
            words.extend(unless_square("padding", pool.padding, 0));
        }
        LayerSpec::Dense(dense) if !dense.bias => words.push("no bias".to_owned()),
        LayerSpec::Dropout(dropout) => words.push(format!("rate {}", dropout.rate)),
        LayerSpec::LeakyRelu(relu) => words.push(format!("slope {}", relu.slope)),
        _ => {}
    }
    words.join(", ")
}

fn unless_square(name: &str, size: percept::nn::shape::Size, usual: usize) -> Option<String> {
    (size != percept::nn::shape::Size::square(usual)).then(|| format!("{name} {size}"))
}

/// The layers for programs.
pub(crate) fn json(description: &Description) -> Value {
    json!({
        "input": <[usize; 3]>::from(description.input),
        "output": <[usize; 3]>::from(description.output),
        "parameters": description.parameter_len(),
        "operations": description.operations(),
        "layers": layers_json(description, &description.layers),
    })
}

fn layers_json(description: &Description, layers: &[LayerInfo]) -> Vec<Value> {
    let layer = |layer: &LayerInfo| {
        let mut value = json!({
            "name": layer.name,
            "kind": layer.spec.kind(),
            "input": <[usize; 3]>::from(layer.input),
            "output": <[usize; 3]>::from(layer.output),
            "parameters": description.parameters_of(layer),
            "operations": layer.operations,
        });
        if !layer.main.is_empty() {
            value["layers"] = layers_json(description, &layer.main).into();
            value["shortcut"] = layers_json(description, &layer.shortcut).into();
        }
        value
    };
    layers.iter().map(layer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept::nn::spec::NetworkSpec;

    #[test]
    fn layers_line_up_and_blocks_are_indented() {
        let spec = NetworkSpec::from_toml(
            r#"
            input = [8, 8, 1]
            layers = [
                { kind = "conv", out_channels = 4, kernel_size = 3, padding = 1 },
                { kind = "residual", layers = [{ kind = "relu" }] },
                { kind = "flatten" },
                { kind = "dense", out_features = 2 },
            ]
            "#,
        );
        let description = Description::new(&spec.expect("a spec")).expect("a network");
        // Parameters by hand: 3*3*1*4 + 4, and 8*8*4*2 + 2; operations of conv1: 2 * 36 * 64.
        let expected = "\
layer      settings          input -> output  parameters  operations
conv1      3x3, padding 1x1  8x8x1 -> 8x8x4           40      4.61 k
residual1                    8x8x4 -> 8x8x4                      512
  relu1                      8x8x4 -> 8x8x4                      256
flatten1                     8x8x4 -> 256                          0
dense1                       256 -> 2                514      1.02 k
total                        8x8x1 -> 2              554      6.14 k
";
        assert_eq!(text(&description), expected);
        assert_eq!(json(&description)["layers"][1]["layers"][0]["kind"], "relu");
    }
}
