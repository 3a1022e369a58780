//! Specs that cannot be networks: each gets an error that names the layer, what arrives and what would fit.

use percept_nn::describe::Description;
use percept_nn::spec::NetworkSpec;

fn refusal(text: &str) -> String {
    match NetworkSpec::from_toml(text) {
        Err(error) => error.to_string(),
        Ok(spec) => Description::new(&spec).expect_err(text).to_string(),
    }
}

/// (the layers of a 28x28x1 network, words that the error must have)
const LAYERS: &[(&str, &[&str])] = &[
    (r#"{ kind = "dense", out_features = 10 }"#, &["dense1", "28x28x1", "flatten"]),
    (r#"{ kind = "conv", out_channels = -3, kernel_size = 3 }"#, &["layer 1 (conv)", "-3"]),
    (
        r#"{ kind = "conv", out_channels = 0, kernel_size = 3 }"#,
        &["conv1", "out_channels", "at least 1"],
    ),
    (r#"{ kind = "conv", out_channels = 4 }"#, &["layer 1 (conv)", "kernel_size"]),
    (r#"{ kind = "conv", out_channels = 4, kernel_size = 0 }"#, &["conv1", "kernel_size"]),
    (r#"{ kind = "conv", out_channels = 4, kernel_size = 3, stride = 0 }"#, &["conv1", "stride"]),
    (r#"{ kind = "conv", out_channels = 4, kernel_size = 30 }"#, &["conv1", "30x30", "28x28x1"]),
    (
        r#"{ kind = "conv", out_channels = 4, kernel_size = 3, groups = 2 }"#,
        &["conv1", "groups = 2", "1 channels"],
    ),
    (
        r#"{ kind = "conv", out_channels = 4, kernel_size = 3, groups = 0 }"#,
        &["conv1", "groups = 0"],
    ),
    (
        r#"{ kind = "conv", out_channels = 4, kernel_size = 3, padding = 9000000000000 }"#,
        &["conv1", "padding"],
    ),
    (
        r#"{ kind = "conv", out_channels = 4, kernel_size = "big" }"#,
        &["layer 1 (conv)", "whole number"],
    ),
    (r#"{ kind = "conv", out_chanels = 4, kernel_size = 3 }"#, &["layer 1 (conv)", "out_chanels"]),
    (r#"{ kind = "conv", out_channels = 1000000000, kernel_size = 28 }"#, &["conv1", "at most"]),
    (r#"{ kind = "max_pool", kernel_size = 2, padding = 2 }"#, &["max_pool1", "half"]),
    (r#"{ kind = "max_pool", kernel_size = 29 }"#, &["max_pool1", "29x29", "28x28x1"]),
    (r#"{ kind = "batch_norm", eps = 0.0 }"#, &["batch_norm1", "eps"]),
    (r#"{ kind = "batch_norm", momentum = 2.0 }"#, &["batch_norm1", "momentum"]),
    (r#"{ kind = "dropout", rate = 1.0 }"#, &["dropout1", "rate"]),
    (r#"{ kind = "dropout", rate = nan }"#, &["dropout1", "rate"]),
    (r#"{ kind = "flatten" }, { kind = "dense", out_features = 0 }"#, &["dense1", "out_features"]),
    (
        r#"{ kind = "flatten" }, { kind = "dense", out_features = 4, init = "dirac" }"#,
        &["dense1", "dirac"],
    ),
    (r#"{ kind = "convolution" }"#, &["layer 1 (convolution)", "unknown"]),
    (r#"{ out_features = 3 }"#, &["layer 1", "kind"]),
    (r#"{ kind = "residual", layers = [] }"#, &["residual1", "at least one"]),
    (
        r#"{ kind = "residual", layers = [{ kind = "conv", out_channels = 4, kernel_size = 3 }] }"#,
        &["residual1", "26x26x4", "28x28x1", "shortcut"],
    ),
    (
        r#"{ kind = "residual", layers = [{ kind = "relu" }, { kind = "dense", out_features = 3 }] }"#,
        &["residual1.dense1", "flatten"],
    ),
    (r#"{ kind = "leaky_relu", slope = inf }"#, &["leaky_relu1", "slope"]),
];

#[test]
fn impossible_layers_are_named() {
    for (layers, words) in LAYERS {
        let error = refusal(&format!("input = [28, 28, 1]\nlayers = [{layers}]"));
        for word in *words {
            assert!(error.contains(word), "`{layers}` gives `{error}` without `{word}`");
        }
    }
}

#[test]
fn layers_that_would_take_for_ever_are_refused() {
    for (layer, word) in [
        (
            r#"{ kind = "conv", out_channels = 1, kernel_size = 2048, padding = 1024 }"#,
            "operations",
        ),
        (r#"{ kind = "max_pool", kernel_size = 2000, stride = 1, padding = 1000 }"#, "operations"),
        (
            r#"{ kind = "conv", out_channels = 1, kernel_size = 1, stride = 1000 }"#,
            "stride 1000x1000",
        ),
    ] {
        let error = refusal(&format!("input = [1900, 1900, 1]\nlayers = [{layer}]"));
        assert!(error.contains(word), "`{layer}` gives `{error}` without `{word}`");
    }
}

#[test]
fn impossible_texts_are_explained() {
    for (text, word) in [
        ("", "no layers"),
        ("input = [1, 1, 1]\nlayers = []", "no layers"),
        ("layers = 3", "list of layers"),
        ("layers = []", "input"),
        ("input = [0, 1, 1]\nlayers = [{ kind = \"relu\" }]", "at least 1"),
        ("input = [100000, 100000, 3]\nlayers = [{ kind = \"relu\" }]", "at most"),
        ("input = [1, 1]\nlayers = [{ kind = \"relu\" }]", "input"),
        ("input = [1, 1, 1]\nlayer = []\nlayers = [{ kind = \"relu\" }]", "layer"),
        ("not toml at all", "cannot be read"),
    ] {
        let error = refusal(text);
        assert!(error.contains(word), "`{text}` gives `{error}` without `{word}`");
    }
}

#[test]
fn deep_nesting_is_refused_without_a_stack_overflow() {
    let mut layers = r#"{ kind = "relu" }"#.to_owned();
    for _ in 0..40 {
        layers = format!(r#"{{ kind = "residual", layers = [{layers}] }}"#);
    }
    let error = refusal(&format!("input = [2, 2, 1]\nlayers = [{layers}]"));
    assert!(error.contains("nested") || error.contains("cannot be read"), "{error}");
}

#[test]
fn specs_survive_toml() {
    let text = r#"
        name = "all"
        input = [9, 8, 2]
        layers = [
            { kind = "conv", out_channels = 4, kernel_size = [3, 2], stride = 2, padding = [1, 0], groups = 2, bias = false, init = "dirac" },
            { kind = "batch_norm", momentum = 0.2 }, { kind = "relu" }, { kind = "leaky_relu", slope = 0.3 },
            { kind = "max_pool", kernel_size = 2, stride = 1 }, { kind = "avg_pool", kernel_size = 2, stride = 1 },
            { kind = "residual", layers = [{ kind = "gelu" }], shortcut = [{ kind = "silu" }] },
            { kind = "layer_norm" }, { kind = "dropout", rate = 0.5 }, { kind = "tanh" }, { kind = "sigmoid" },
            { kind = "global_avg_pool" }, { kind = "flatten" }, { kind = "dense", out_features = 3, init = "xavier" },
        ]
    "#;
    let spec = NetworkSpec::from_toml(text).unwrap();
    let again = NetworkSpec::from_toml(&spec.to_toml()).unwrap();
    assert_eq!(spec, again);
    let description = Description::new(&spec).unwrap();
    assert_eq!(description.output.len(), 3);
    let names: Vec<&str> = description.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names[0], "conv1");
    assert_eq!(description.layers[6].main[0].name, "residual1.gelu1");
    assert_eq!(description.layers[6].shortcut[0].name, "residual1.shortcut.silu1");
}

/// The article's network by hand: 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10 parameters.
#[test]
fn sizes_are_those_counted_by_hand() {
    let text = r#"
        input = [28, 28, 1]
        layers = [
            { kind = "conv", out_channels = 8, kernel_size = 5, stride = 2, padding = 2 },
            { kind = "flatten" }, { kind = "dense", out_features = 10 },
        ]
    "#;
    let description = Description::new(&NetworkSpec::from_toml(text).unwrap()).unwrap();
    assert_eq!(description.parameter_len(), 25 * 8 + 8 + 14 * 14 * 8 * 10 + 10);
    assert_eq!(description.operations(), (14 * 14 * 8 * 25 + 14 * 14 * 8 * 10) * 2);
    assert_eq!(description.layers[0].output.to_string(), "14x14x8");
}
