//! A network from whatever names it: a preset, a network file, or a model file.

use crate::failure::{Exit, Failure};
use percept::model::error::ModelError;
use percept::model::model::Model;
use percept::nn::network::Network;
use percept::nn::spec::NetworkSpec;
use percept::train::presets;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The longest network file that is read.
const LONGEST_FILE: u64 = 1 << 20;

/// What was found under a name.
#[derive(Debug)]
pub(crate) enum Found {
    /// A network without weights.
    Spec(NetworkSpec),
    /// A trained model.
    Model(Box<Model>),
}

impl Found {
    /// The network as data.
    pub(crate) fn spec(&self) -> &NetworkSpec {
        match self {
            Self::Spec(spec) => spec,
            Self::Model(model) => &model.spec,
        }
    }

    /// The network with the model's weights, or with the weights that training would start from.
    ///
    /// # Errors
    /// Exit code 2 where the spec is no network, 5 where a model's weights do not fit it.
    pub(crate) fn network(&self, name: &str) -> Result<Network, Failure> {
        match self {
            Self::Spec(spec) => {
                Network::new(spec.clone(), 1).map_err(|error| unusable(Exit::Usage, name, &error))
            }
            Self::Model(model) => {
                let mut network = Network::zeroed(model.spec.clone())
                    .map_err(|error| unusable(Exit::Model, name, &error))?;
                let (parameters, buffers) = network.tensors_mut();
                model.restore(name, parameters, buffers)?;
                Ok(network)
            }
        }
    }
}

fn unusable(exit: Exit, name: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new(exit, format!("the network of `{name}` cannot be used")).caused_by(error)
}

/// Finds a preset, or reads a network file (`.toml`) or a model.
///
/// # Errors
/// Exit code 2 where there is no such thing, 5 where a model file cannot be used.
pub(crate) fn find(name: &str) -> Result<Found, Failure> {
    if let Some(preset) = presets::find(name) {
        return Ok(Found::Spec(preset.config().network));
    }
    let path = Path::new(name);
    if is_toml(path) {
        return Ok(Found::Spec(read_spec(path)?));
    }
    Model::read(path).map(|model| Found::Model(Box::new(model))).map_err(|error| match error {
        ModelError::Read { ref source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            nothing(name, Exit::Model)
        }
        error => error.into(),
    })
}

/// The failure of a name that is nothing.
fn nothing(name: &str, exit: Exit) -> Failure {
    let names: Vec<&str> = presets::all().iter().map(|preset| preset.name).collect();
    Failure::new(exit, format!("`{name}` is neither a preset nor a file"))
        .hint(format!("check the path, or give one of the presets: {}", names.join(", ")))
}

/// Whether a file is meant to be TOML, by its name.
pub(crate) fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// Reads a network from a file: a network spec, or a run's configuration with one in it.
///
/// # Errors
/// Exit code 2.
pub(crate) fn read_spec(path: &Path) -> Result<NetworkSpec, Failure> {
    let text = read_text(path)?;
    let is_config = text.parse().is_ok_and(|table: toml::Table| table.contains_key("network"));
    if is_config {
        let config = percept::train::config::Config::from_toml(&text);
        return config.map(|config| config.network).map_err(|error| in_file(path, &error));
    }
    NetworkSpec::from_toml(&text).map_err(|error| in_file(path, &error))
}

fn in_file(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::usage(path.display().to_string()).caused_by(error)
}

/// Reads a TOML file of reasonable length.
///
/// # Errors
/// Exit code 2.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let failed = |cause: std::io::Error| match cause.kind() {
        std::io::ErrorKind::NotFound => nothing(&path.display().to_string(), Exit::Usage),
        _ => Failure::usage(format!("cannot read `{}`", path.display())).caused_by(&cause),
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(Failure::usage(format!(
            "`{}` is longer than {LONGEST_FILE} bytes: expected a network or configuration in TOML",
            path.display()
        )));
    }
    String::from_utf8(bytes).map_err(|_| {
        Failure::usage(format!("`{}`: expected TOML text, found other bytes", path.display()))
    })
}
