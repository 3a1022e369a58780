//! Every layer's backward against central differences: one row a layer and setting.

use percept_nn::gradcheck::GradientCheck;
use percept_nn::spec::NetworkSpec;

/// (what it is, input shape, layers)
const TABLE: &[(&str, &str, &str)] = &[
    ("dense", "[1, 1, 5]", r#"{ kind = "dense", out_features = 4 }"#),
    ("dense without bias", "[1, 1, 5]", r#"{ kind = "dense", out_features = 4, bias = false }"#),
    ("dense with relu", "[1, 1, 5]", r#"{ kind = "dense", out_features = 7 }, { kind = "relu" }"#),
    (
        "conv 3x3",
        "[5, 6, 2]",
        r#"{ kind = "conv", out_channels = 3, kernel_size = 3, padding = 1 }"#,
    ),
    (
        "conv without bias",
        "[4, 4, 2]",
        r#"{ kind = "conv", out_channels = 3, kernel_size = 3, bias = false }"#,
    ),
    (
        "conv with relu",
        "[5, 5, 2]",
        r#"{ kind = "conv", out_channels = 3, kernel_size = 3 }, { kind = "relu" }"#,
    ),
    (
        "conv 5x5",
        "[7, 7, 1]",
        r#"{ kind = "conv", out_channels = 2, kernel_size = 5, padding = 2 }"#,
    ),
    (
        "conv with relu and pool",
        "[6, 8, 2]",
        r#"{ kind = "conv", out_channels = 17, kernel_size = 3, padding = 1 }, { kind = "relu" }, { kind = "max_pool", kernel_size = 2 }"#,
    ),
    (
        "conv of few channels with relu and pool",
        "[8, 9, 2]",
        r#"{ kind = "conv", out_channels = 3, kernel_size = [3, 2], padding = [1, 0] }, { kind = "relu" }, { kind = "max_pool", kernel_size = 2 }"#,
    ),
    (
        "conv without bias, stride 2, with relu and pool",
        "[7, 8, 3]",
        r#"{ kind = "conv", out_channels = 2, kernel_size = 3, stride = 2, padding = 1, bias = false }, { kind = "relu" }, { kind = "max_pool", kernel_size = 2 }"#,
    ),
    ("conv 1x1", "[3, 4, 3]", r#"{ kind = "conv", out_channels = 2, kernel_size = 1 }"#),
    (
        "conv rectangular",
        "[6, 5, 2]",
        r#"{ kind = "conv", out_channels = 3, kernel_size = [2, 3], padding = [0, 2] }"#,
    ),
    (
        "conv stride 2",
        "[7, 6, 2]",
        r#"{ kind = "conv", out_channels = 3, kernel_size = 3, stride = 2, padding = 1 }"#,
    ),
    (
        "conv stride 3 beyond the kernel",
        "[8, 8, 2]",
        r#"{ kind = "conv", out_channels = 2, kernel_size = 2, stride = 3 }"#,
    ),
    (
        "conv strides differ",
        "[8, 7, 1]",
        r#"{ kind = "conv", out_channels = 2, kernel_size = [4, 3], stride = [1, 2], padding = [2, 1] }"#,
    ),
    (
        "conv stride 2 of 1x1",
        "[5, 5, 2]",
        r#"{ kind = "conv", out_channels = 3, kernel_size = 1, stride = 2 }"#,
    ),
    (
        "conv stride beyond the image",
        "[3, 4, 2]",
        r#"{ kind = "conv", out_channels = 2, kernel_size = 3, stride = 1000000000000, padding = 1 }"#,
    ),
    (
        "conv padding beyond the kernel",
        "[3, 3, 1]",
        r#"{ kind = "conv", out_channels = 2, kernel_size = 2, padding = 3 }"#,
    ),
    (
        "conv in groups",
        "[4, 5, 4]",
        r#"{ kind = "conv", out_channels = 6, kernel_size = 3, padding = 1, groups = 2 }"#,
    ),
    (
        "conv depthwise stride 2",
        "[6, 6, 3]",
        r#"{ kind = "conv", out_channels = 3, kernel_size = 3, padding = 1, stride = 2, groups = 3 }"#,
    ),
    // Wide enough for Winograd's algorithm: on tiles of 4x4 pixels three times, then of 2x2.
    (
        "conv by Winograd",
        "[4, 4, 8]",
        r#"{ kind = "conv", out_channels = 8, kernel_size = 3, padding = 1 }"#,
    ),
    (
        "conv by Winograd with relu",
        "[7, 4, 12]",
        r#"{ kind = "conv", out_channels = 10, kernel_size = 3, padding = 1, bias = false }, { kind = "relu" }"#,
    ),
    (
        "conv by Winograd without padding",
        "[10, 8, 10]",
        r#"{ kind = "conv", out_channels = 10, kernel_size = 3, padding = [0, 1] }"#,
    ),
    (
        "conv by Winograd on a small image",
        "[2, 2, 15]",
        r#"{ kind = "conv", out_channels = 15, kernel_size = 3, padding = 1 }"#,
    ),
    ("batch norm", "[3, 2, 4]", r#"{ kind = "batch_norm" }"#),
    ("batch norm of features", "[1, 1, 6]", r#"{ kind = "batch_norm" }"#),
    ("batch norm with relu", "[3, 3, 3]", r#"{ kind = "batch_norm" }, { kind = "relu" }"#),
    (
        "batch norm with relu and pool",
        "[4, 6, 3]",
        r#"{ kind = "batch_norm" }, { kind = "relu" }, { kind = "max_pool", kernel_size = 2 }"#,
    ),
    (
        "batch norm with relu and an odd pool",
        "[5, 4, 2]",
        r#"{ kind = "batch_norm" }, { kind = "relu" }, { kind = "max_pool", kernel_size = 2 }"#,
    ),
    ("layer norm", "[2, 3, 2]", r#"{ kind = "layer_norm" }"#),
    ("relu", "[3, 3, 2]", r#"{ kind = "relu" }"#),
    ("leaky relu", "[3, 3, 2]", r#"{ kind = "leaky_relu", slope = 0.2 }"#),
    ("gelu", "[3, 3, 2]", r#"{ kind = "gelu" }"#),
    ("silu", "[3, 3, 2]", r#"{ kind = "silu" }"#),
    ("tanh", "[3, 3, 2]", r#"{ kind = "tanh" }"#),
    ("sigmoid", "[3, 3, 2]", r#"{ kind = "sigmoid" }"#),
    ("max pool 2x2", "[4, 6, 3]", r#"{ kind = "max_pool", kernel_size = 2 }"#),
    ("max pool odd", "[5, 7, 2]", r#"{ kind = "max_pool", kernel_size = 2 }"#),
    (
        "max pool overlapping",
        "[6, 5, 2]",
        r#"{ kind = "max_pool", kernel_size = 3, stride = 2, padding = 1 }"#,
    ),
    ("average pool", "[4, 6, 3]", r#"{ kind = "avg_pool", kernel_size = 2 }"#),
    (
        "average pool overlapping",
        "[5, 5, 2]",
        r#"{ kind = "avg_pool", kernel_size = 3, stride = 1, padding = 1 }"#,
    ),
    ("global average pool", "[3, 4, 2]", r#"{ kind = "global_avg_pool" }"#),
    ("dropout", "[3, 3, 2]", r#"{ kind = "dropout", rate = 0.4 }"#),
    ("flatten", "[2, 3, 2]", r#"{ kind = "flatten" }, { kind = "dense", out_features = 3 }"#),
    (
        "residual",
        "[4, 4, 2]",
        r#"{ kind = "residual", layers = [{ kind = "conv", out_channels = 2, kernel_size = 3, padding = 1 }, { kind = "tanh" }] }"#,
    ),
    (
        "residual with shortcut",
        "[5, 5, 2]",
        r#"{ kind = "residual", layers = [{ kind = "conv", out_channels = 3, kernel_size = 3, padding = 1, stride = 2 }, { kind = "batch_norm" }, { kind = "relu" }], shortcut = [{ kind = "conv", out_channels = 3, kernel_size = 1, stride = 2 }] }"#,
    ),
    (
        "residual with batch norm at its end and relu",
        "[5, 4, 2]",
        r#"{ kind = "residual", layers = [{ kind = "conv", out_channels = 2, kernel_size = 3, padding = 1 }, { kind = "batch_norm" }] }, { kind = "relu" }"#,
    ),
    (
        "residual with batch norms at both ends",
        "[5, 5, 2]",
        r#"{ kind = "residual", layers = [{ kind = "conv", out_channels = 3, kernel_size = 3, padding = 1, stride = 2 }, { kind = "batch_norm" }], shortcut = [{ kind = "conv", out_channels = 3, kernel_size = 1, stride = 2 }, { kind = "batch_norm" }] }"#,
    ),
    (
        "residual of nothing but a batch norm",
        "[3, 4, 2]",
        r#"{ kind = "residual", layers = [{ kind = "batch_norm" }] }, { kind = "relu" }"#,
    ),
    (
        "residual blocks, one after the other and one in the other",
        "[4, 4, 2]",
        r#"{ kind = "residual", layers = [{ kind = "residual", layers = [{ kind = "conv", out_channels = 2, kernel_size = 3, padding = 1 }, { kind = "batch_norm" }] }, { kind = "relu" }, { kind = "batch_norm" }] },
           { kind = "residual", layers = [{ kind = "conv", out_channels = 2, kernel_size = 1 }] }, { kind = "relu" }"#,
    ),
    (
        "residual in the middle",
        "[4, 4, 1]",
        r#"{ kind = "conv", out_channels = 2, kernel_size = 3, padding = 1 }, { kind = "residual", layers = [{ kind = "residual", layers = [{ kind = "silu" }] }, { kind = "conv", out_channels = 2, kernel_size = 1 }] }, { kind = "relu" }"#,
    ),
    (
        "residual of nothing but a flatten",
        "[1, 1, 3]",
        r#"{ kind = "residual", layers = [{ kind = "flatten" }] }"#,
    ),
    (
        "a whole network",
        "[8, 8, 1]",
        r#"{ kind = "conv", out_channels = 3, kernel_size = 3, padding = 1, bias = false }, { kind = "batch_norm" }, { kind = "relu" },
           { kind = "max_pool", kernel_size = 2 }, { kind = "conv", out_channels = 4, kernel_size = 3, padding = 1 }, { kind = "relu" },
           { kind = "max_pool", kernel_size = 2 }, { kind = "flatten" }, { kind = "dense", out_features = 5, bias = false },
           { kind = "batch_norm" }, { kind = "relu" }, { kind = "dropout", rate = 0.2 }, { kind = "dense", out_features = 3 }"#,
    ),
];

#[test]
fn backward_agrees_with_central_differences() {
    for (what, input, layers) in TABLE {
        let text = format!("input = {input}\nlayers = [{layers}]");
        let spec = NetworkSpec::from_toml(&text).unwrap_or_else(|e| panic!("{what}: {e}"));
        for fuse in [true, false] {
            for seed in [1, 2] {
                let check = GradientCheck { fuse, seed, ..GradientCheck::default() };
                match check.run(&spec) {
                    Ok(checked) => assert!(checked.numbers > 0, "{what}"),
                    Err(wrong) => panic!("{what} (fused: {fuse}, seed {seed}): {wrong}"),
                }
            }
        }
    }
}
