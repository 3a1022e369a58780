//! Network descriptions and settings that cannot be used: exit code 2, and the layer or setting is named.

use crate::{program, sample};
use std::fs;

fn layers(layers: &str) -> String {
    format!("name = 'x'\ninput = [8, 8, 1]\nlayers = [{layers}]")
}

#[test]
fn impossible_networks() {
    let folder = sample::folder();
    let cases = [
        (String::new(), "network.toml"),
        ("\u{1}".to_owned(), "network.toml"),
        (layers(""), "the network has no layers"),
        (layers("{ kind = 'conv', out_channels = 4, kernel_size = -3 }"), "layer 1 (conv)"),
        (layers("{ kind = 'flatten' }, { kind = 'dense', out_features = -1 }"), "layer 2 (dense)"),
        (layers("{ kind = 'magic' }"), "layer 1 (magic)"),
        (layers("{ kind = 'conv', out_channels = 4, kernel_size = 30 }"), "conv1"),
        (
            layers("{ kind = 'flatten' }, { kind = 'dense', out_features = 4000000000 }"),
            "too large",
        ),
        ("input = [-8, 8, 1]\nlayers = []".to_owned(), "input"),
        ("x".repeat(2 << 20), "longer than"),
    ];
    for (text, words) in cases {
        fs::write(folder.path().join("network.toml"), &text).expect("written");
        for line in ["show network.toml", "train --data data --network network.toml --out run -q"] {
            program::line(folder.path(), line).refused(2, &[words]);
        }
    }
    assert!(!folder.path().join("run").exists());
}

#[test]
fn a_network_for_other_images_says_what_to_change() {
    let folder = sample::folder();
    let spec = layers("{ kind = 'flatten' }, { kind = 'dense', out_features = 7 }");
    fs::write(folder.path().join("network.toml"), spec).expect("written");
    program::line(folder.path(), "train --data data --network network.toml --validation 20 -q")
        .refused(2, &["has 7 outputs", "3 classes", "set out_features"]);
    let spec =
        "input = [9, 9, 1]\nlayers = [{ kind = 'flatten' }, { kind = 'dense', out_features = 3 }]";
    fs::write(folder.path().join("network.toml"), spec).expect("written");
    program::line(folder.path(), "train --data data --network network.toml --validation 20 -q")
        .refused(2, &["takes images of 9x9x1", "8x8x1"]);
}

#[test]
fn impossible_settings() {
    let folder = sample::folder();
    for (option, words) in [
        ("--epochs 0", "epochs"),
        ("--batch-size 0", "batch_size"),
        ("--learning-rate -1", "learning_rate"),
        ("--learning-rate nan", "learning_rate"),
        ("--clip-norm 0", "clip_norm"),
        ("--validation 100000", "for validation (--validation); but there are 160"),
        ("--network nothing", "neither a preset nor a network file"),
        ("--network nothing.toml", "neither a preset nor a file"),
        ("--config nothing.toml", "nothing.toml"),
        ("--config data", "cannot read `data`"),
    ] {
        let base = if option.starts_with("--config") { "" } else { "--config small.toml" };
        let option = option.replace("--learning-rate -1", "--learning-rate=-1");
        program::line(folder.path(), &format!("train {base} {option} --out run -q"))
            .refused(2, &[words]);
    }
    fs::write(folder.path().join("bad.toml"), "epoch = 3").expect("written");
    program::line(folder.path(), "train --config bad.toml -q").refused(2, &["bad.toml", "epoch"]);
    fs::write(folder.path().join("bad.toml"), "[augmentation]\nrotation = 999.0").expect("written");
    program::line(folder.path(), "train --config bad.toml -q").refused(2, &["rotation"]);
    assert!(!folder.path().join("run").exists());
}
