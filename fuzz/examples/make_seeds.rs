//! Writes the seeds of every target: small true files, made here. `cargo run --example make_seeds`, in this folder.

use flate2::Compression;
use flate2::write::GzEncoder;
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, Frame, GrayImage, ImageEncoder, ImageFormat, Luma};
use percept_data::Preprocessing;
use percept_data::sources::idx;
use percept_model::checkpoint::Checkpoint;
use percept_model::model::Model;
use percept_model::provenance::{DataFingerprint, MeasuredAccuracy, Provenance};
use percept_model::tensor::Tensor;
use percept_nn::network::Network;
use percept_nn::spec::NetworkSpec;
use std::error::Error;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    idx_files()?;
    pictures()?;
    sources()?;
    let specs = specs();
    for (name, text) in &specs {
        put("network_spec", name, text.as_bytes())?;
    }
    model_files(&specs[0].1)
}

fn put(target: &str, name: &str, bytes: &[u8]) -> Result<()> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(name), bytes)?)
}

/// A small table, an array as it stands in an `.npz` file, a record of CIFAR. Archives are found by mutation: their seeds were
/// written by Python's `zipfile` and by `tar`.
fn sources() -> Result<()> {
    let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 2), }";
    let header = format!("{text:<117}\n");
    let len = (header.len() as u16).to_le_bytes();
    let array = [&b"\x93NUMPY\x01\x00"[..], &len, header.as_bytes(), &[1, 2, 3, 4]].concat();
    put("sources", "array.npy", &array)?;
    put("sources", "table.csv", b"file,label,split\na.png,cat,train\nb.png,dog,test\n")?;
    put("sources", "record", &[&[3][..], &[7; 3072]].concat())
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn idx_files() -> Result<()> {
    let images = idx::encode_images(3, 2, &(0..24).collect::<Vec<u8>>());
    let labels = idx::encode_labels(&[0, 9, 3, 255]);
    let lying = [&images[..4], &[0xff; 12], &images[16..]].concat();
    put("idx", "images", &images)?;
    put("idx", "labels", &labels)?;
    put("idx", "images.gz", &gzip(&images)?)?;
    put("idx", "labels.gz", &gzip(&labels)?)?;
    put("idx", "two-members.gz", &[gzip(&images[..20])?, gzip(&images[20..])?].concat())?;
    put("idx", "lying", &lying)?;
    put("idx", "lying.gz", &gzip(&lying)?)
}

/// A slanted stroke, dark on light.
fn stroke() -> GrayImage {
    GrayImage::from_fn(24, 32, |x, y| {
        let distance = (x as f32 - 6.0 - y as f32 / 3.0).abs();
        Luma([if distance < 2.0 && (4..28).contains(&y) { 20 } else { 235 }])
    })
}

/// The smallest EXIF block that says "orientation 6".
const TURNED: [u8; 26] =
    [b'I', b'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0];

fn pictures() -> Result<()> {
    let grey = DynamicImage::ImageLuma8(stroke());
    let kinds = [
        ("grey", grey.clone()),
        ("colour", grey.to_rgb8().into()),
        ("clear", grey.to_rgba8().into()),
        ("deep", grey.to_luma16().into()),
    ];
    for (format, end) in [
        (ImageFormat::Png, "png"),
        (ImageFormat::Jpeg, "jpg"),
        (ImageFormat::WebP, "webp"),
        (ImageFormat::Bmp, "bmp"),
        (ImageFormat::Tiff, "tiff"),
        (ImageFormat::Pnm, "pnm"),
        (ImageFormat::Gif, "gif"),
    ] {
        for (kind, picture) in &kinds {
            let mut bytes = Cursor::new(Vec::new());
            // Not every format has every kind.
            if picture.write_to(&mut bytes, format).is_ok() {
                put("image_input", &format!("{kind}.{end}"), bytes.get_ref())?;
            }
        }
    }
    let mut turned = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut turned, 90);
    encoder.set_exif_metadata(TURNED.to_vec())?;
    encoder.encode_image(&stroke())?;
    put("image_input", "turned.jpg", &turned)?;
    let mut moving = Vec::new();
    let frame = |_| Frame::new(grey.to_rgba8());
    GifEncoder::new(&mut moving).encode_frames((0..2).map(frame))?;
    put("image_input", "moving.gif", &moving)?;
    put("image_input", "plain.pgm", b"P2 3 2 9 0 9 0\n9 0 9\n")?;
    put("image_input", "plain.pbm", b"P1 3 2 0 1 0 1 0 1\n")?;
    put("image_input", "map.pam", b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n\x01\x80\xff\xff")
}

fn specs() -> [(&'static str, String); 4] {
    let every = r#"
name = "every kind"
input = [6, 6, 2]
layers = [
    { kind = "conv", out_channels = 4, kernel_size = [3, 3], stride = 1, padding = 1, groups = 2, bias = false, init = "dirac" },
    { kind = "batch_norm", eps = 1e-3, momentum = 0.2 },
    { kind = "relu" },
    { kind = "residual", layers = [{ kind = "conv", out_channels = 4, kernel_size = 3, padding = 1, init = "kaiming" }, { kind = "silu" }], shortcut = [{ kind = "conv", out_channels = 4, kernel_size = 1 }] },
    { kind = "leaky_relu", slope = 0.1 },
    { kind = "max_pool", kernel_size = 2, stride = 1, padding = 1 },
    { kind = "gelu" },
    { kind = "avg_pool", kernel_size = 2 },
    { kind = "layer_norm" },
    { kind = "global_avg_pool" },
    { kind = "dropout", rate = 0.25 },
    { kind = "dense", out_features = 8, init = "uniform_fan_in" },
    { kind = "tanh" },
    { kind = "dense", out_features = 3, bias = false, init = "xavier" },
    { kind = "sigmoid" },
]
"#;
    let small = r#"
input = [4, 4, 1]
layers = [
    { kind = "conv", out_channels = 2, kernel_size = 3, stride = [2, 1], padding = [1, 0] },
    { kind = "batch_norm" },
    { kind = "relu" },
    { kind = "flatten" },
    { kind = "dense", out_features = 3 },
]
"#;
    let tables = "input = [1, 1, 5]\n[[layers]]\nkind = \"dense\"\nout_features = 2\n[[layers]]\nkind = \"residual\"\n[[layers.layers]]\nkind = \"tanh\"\n";
    let large = "input = [28, 28, 1]\nlayers = [{ kind = \"flatten\" }, { kind = \"dense\", out_features = 9223372036854775807 }]\n";
    [
        ("small.toml", small),
        ("every-kind.toml", every),
        ("tables.toml", tables),
        ("large.toml", large),
    ]
    .map(|(name, text)| (name, text.to_owned()))
}

fn model_files(spec: &str) -> Result<()> {
    let network = Network::<f32>::new(NetworkSpec::from_toml(spec)?, 1)?;
    let parameters = Tensor::from_parameters(network.parameters(), network.values());
    let buffers = Tensor::from_buffers(network.buffers(), network.buffer_values());
    let data = DataFingerprint { description: "strokes".into(), sha256: "5e".repeat(32) };
    let model = Model {
        spec: network.spec().clone(),
        tensors: [parameters.clone(), buffers.clone()].concat(),
        class_names: ["a", "b", "\u{732b}"].map(str::to_owned).to_vec(),
        preprocessing: serde_json::to_value(Preprocessing::mnist())?,
        provenance: Provenance {
            percept_version: "0.1.0".into(),
            created_by: "make_seeds".into(),
            seed: 1,
            data: data.clone(),
            epochs: 1,
            steps: 10,
            config: "epochs = 1\n".into(),
            validation: None,
            test: Some(MeasuredAccuracy { correct: 9, total: 10, low: 0.5, high: 0.99 }),
        },
    };
    let checkpoint = Checkpoint {
        spec: network.spec().clone(),
        optimizer: parameters.clone(),
        average: parameters.clone(),
        best: parameters.clone(),
        parameters,
        buffers,
        percept_version: "0.1.0".into(),
        step: 10,
        epoch: 1,
        seed: 1,
        data,
        config: "epochs = 1\n".into(),
        history: "epoch,loss\n".into(),
        numbers: [("best".to_owned(), f64::NAN)].into(),
        texts: [("name".to_owned(), "x".to_owned())].into(),
    };
    for (name, bytes) in [("model", model.to_bytes()?), ("checkpoint", checkpoint.to_bytes()?)] {
        put("model_file", &format!("{name}.safetensors"), &bytes)?;
        // Without its checksum a file stays acceptable while the fuzzer changes it.
        put("model_file", &format!("{name}-unsealed.safetensors"), &without_checksum(&bytes)?)?;
    }
    Ok(())
}

fn without_checksum(bytes: &[u8]) -> Result<Vec<u8>> {
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or("no header")?;
    let (header, numbers) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: serde_json::Value = serde_json::from_slice(header)?;
    let metadata = header["__metadata__"].as_object_mut().ok_or("no metadata")?;
    metadata.remove("content_sha256").ok_or("no checksum")?;
    let header = serde_json::to_vec(&header)?;
    Ok([&(header.len() as u64).to_le_bytes(), &header[..], numbers].concat())
}
