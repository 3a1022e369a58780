//! The columns of a drawing: which layers get one, and what is written below.

use crate::layer_table::settings;
use crate::number::grouped;
use percept::nn::describe::{Description, LayerInfo};
use percept::nn::shape::{Shape, Size};
use percept::nn::spec::LayerSpec;

/// The most letters of a label's line.
const LINE_LENGTH: usize = 26;

/// Whether a column is the input, the output, or between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Input,
    Hidden,
    Output,
}

/// What a column looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Body {
    /// An image or feature maps.
    Maps(Shape),
    /// Single numbers.
    Units(usize),
}

/// How a column is made from the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Link {
    /// Every unit from every number.
    Full,
    /// Each number from a window.
    Window(Size),
    /// The same numbers in another order.
    Reorder,
    /// By several layers, and added to what they got.
    Block,
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) role: Role,
    pub(super) name: String,
    pub(super) lines: Vec<String>,
    pub(super) body: Body,
    pub(super) link: Link,
    /// Whether it has parameters.
    pub(super) weighted: bool,
}

/// A column while layers are still added to its label.
struct Draft<'a> {
    first: Option<&'a LayerInfo>,
    shape: Shape,
    then: Vec<String>,
    parameters: usize,
}

impl Role {
    pub(super) fn colour(self) -> &'static str {
        match self {
            Self::Input => "#0b7285",
            Self::Hidden => "#3b5bdb",
            Self::Output => "#c2410c",
        }
    }

    pub(super) fn tint(self) -> &'static str {
        match self {
            Self::Input => "#c5f1f7",
            Self::Hidden => "#dbe4ff",
            Self::Output => "#ffe0cc",
        }
    }
}

/// The columns of a network.
pub(super) fn columns(description: &Description) -> Vec<Column> {
    let mut drafts =
        vec![Draft { first: None, shape: description.input, then: Vec::new(), parameters: 0 }];
    for layer in &description.layers {
        let parameters = description.parameters_of(layer);
        match drafts.last_mut() {
            Some(draft) if joins(layer) => {
                draft.then.push(kind_in_words(layer.spec.kind()));
                draft.parameters += parameters;
            }
            _ => {
                let shape = layer.output;
                drafts.push(Draft { first: Some(layer), shape, then: Vec::new(), parameters });
            }
        }
    }
    let last = drafts.len() - 1;
    drafts.iter().enumerate().map(|(index, draft)| draft.column(index, last)).collect()
}

/// Whether a layer belongs to the column of the layer before.
fn joins(layer: &LayerInfo) -> bool {
    match &layer.spec {
        LayerSpec::Flatten(_) => layer.input.pixels() == 1,
        LayerSpec::BatchNorm(_)
        | LayerSpec::LayerNorm(_)
        | LayerSpec::Relu(_)
        | LayerSpec::LeakyRelu(_)
        | LayerSpec::Gelu(_)
        | LayerSpec::Silu(_)
        | LayerSpec::Tanh(_)
        | LayerSpec::Sigmoid(_)
        | LayerSpec::Dropout(_) => true,
        _ => false,
    }
}

fn kind_in_words(kind: &str) -> String {
    match kind {
        "relu" => "ReLU".to_owned(),
        "leaky_relu" => "leaky ReLU".to_owned(),
        "gelu" => "GELU".to_owned(),
        "silu" => "SiLU".to_owned(),
        other => other.replace('_', " "),
    }
}

impl Draft<'_> {
    fn column(&self, index: usize, last: usize) -> Column {
        let role = match index {
            0 => Role::Input,
            // The same numbers in one list: what a network of dense layers takes as its input.
            1 if self.link() == Link::Reorder && last > 1 => Role::Input,
            _ if index == last => Role::Output,
            _ => Role::Hidden,
        };
        let flat = self.shape.pixels() == 1;
        let body = if flat { Body::Units(self.shape.channels) } else { Body::Maps(self.shape) };
        let weighted = self.parameters > 0;
        Column { role, name: self.name(), lines: self.lines(), body, link: self.link(), weighted }
    }

    fn name(&self) -> String {
        self.first.map_or_else(|| "input".to_owned(), |layer| layer.name.clone())
    }

    fn link(&self) -> Link {
        match self.first.map(|layer| &layer.spec) {
            Some(LayerSpec::Conv(conv)) => Link::Window(conv.kernel_size),
            Some(LayerSpec::MaxPool(pool) | LayerSpec::AvgPool(pool)) => {
                Link::Window(pool.kernel_size)
            }
            Some(LayerSpec::Flatten(_)) => Link::Reorder,
            Some(LayerSpec::Residual(_)) => Link::Block,
            _ => Link::Full,
        }
    }

    fn size(&self) -> String {
        let Shape { height, width, channels } = self.shape;
        match (self.shape.pixels(), self.first, channels) {
            (1, _, _) => format!("{} units", grouped(channels as u64)),
            (_, None, 1) => format!("{height}x{width} pixels, grey"),
            (_, None, 3) => format!("{height}x{width} pixels, colour"),
            (_, None, _) => format!("{height}x{width} pixels of {channels}"),
            (_, _, 1) => format!("1 map of {height}x{width}"),
            _ => format!("{channels} maps of {height}x{width}"),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.size()];
        if let Some(layer) = self.first {
            lines.extend(wrapped(&settings(&layer.spec)));
            let inside: Vec<String> =
                layer.main.iter().map(|layer| kind_in_words(layer.spec.kind())).collect();
            lines.extend(wrapped(&inside.join(", ")));
        }
        if !self.then.is_empty() {
            lines.extend(wrapped(&format!("then {}", self.then.join(", "))));
        }
        if self.parameters > 0 {
            lines.push(format!("{} parameters", grouped(self.parameters as u64)));
        }
        lines
    }
}

/// Words broken into lines after commas.
fn wrapped(words: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split(", ").filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() + 2 <= LINE_LENGTH => {
                line.push_str(", ");
                line.push_str(word);
            }
            _ => {
                if let Some(line) = lines.last_mut() {
                    line.push(',');
                }
                lines.push(word.to_owned());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept::train::presets;

    #[test]
    fn the_first_network_has_five_columns() {
        let network = presets::find("mlp").expect("a preset").config().network;
        let columns = columns(&Description::new(&network).expect("a network"));
        let found: Vec<(Role, Body)> = columns.iter().map(|c| (c.role, c.body)).collect();
        let expected = [
            (Role::Input, Body::Maps(Shape::new(28, 28, 1))),
            (Role::Input, Body::Units(784)),
            (Role::Hidden, Body::Units(128)),
            (Role::Hidden, Body::Units(64)),
            (Role::Output, Body::Units(10)),
        ];
        assert_eq!(found, expected);
        assert_eq!(columns[2].lines, ["128 units", "then ReLU", "100,480 parameters"]);
        assert_eq!(columns[0].lines, ["28x28 pixels, grey"]);
    }

    #[test]
    fn long_labels_are_broken_after_commas() {
        assert_eq!(wrapped("5x5, stride 2x2, padding 2x2"), ["5x5, stride 2x2,", "padding 2x2"]);
        assert!(wrapped("").is_empty());
    }
}
