//! A model file whose numbers go straight into a network.

use crate::aside;
use crate::container::{self, Opened};
use crate::error::{Kind, ModelError};
use crate::metadata::Metadata;
use crate::model::Model;
use crate::tensor::{Tensor, fit, views};
use percept_nn::describe::Description;
use percept_nn::network::Network;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

/// Numbers whose checksum takes longer than a thread takes to start: about 0.1 ms.
const WORTH_A_THREAD: usize = 1 << 16;

/// A model file that was opened: all but its numbers has been read.
#[derive(Debug)]
pub struct ModelFile {
    origin: String,
    model: Model<()>,
    opened: Opened<BufReader<File>>,
}

impl ModelFile {
    /// Opens a model file.
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let origin = path.display().to_string();
        let opened = container::open_file(path, Kind::Model)?;
        match Model::described(&origin, &opened.metadata) {
            Ok(model) => Ok(Self { origin, model, opened }),
            Err(error) => Err(opened.read().err().unwrap_or(error)),
        }
    }

    /// What the file says of the model.
    #[must_use]
    pub fn model(&self) -> &Model<()> {
        &self.model
    }

    /// Refuses tensors that are not exactly those of a network, before there is memory for it: a file must not make
    /// anybody allocate more than it holds.
    ///
    /// # Errors
    /// As [`fit`].
    pub fn check_fit(&self, description: &Description) -> Result<(), ModelError> {
        let parameters = description.parameters.iter().map(|p| (p.name.as_str(), &p.shape[..]));
        let buffers = description.buffers.iter().map(|b| (b.name.as_str(), &b.shape[..]));
        fit(&self.origin, &self.opened.tensors, parameters.chain(buffers)).map(drop)
    }

    /// Reads the numbers for no other use than to find out whether the file was damaged: what is wrong with a model may
    /// come of that.
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn check(self) -> Result<(), ModelError> {
        self.opened.read().map(drop)
    }

    /// Reads the numbers into a network of the model's spec, and lets `prepare` work on it while another thread still
    /// computes the checksum. What `prepare` returns comes back only where the checksum is right.
    ///
    /// # Errors
    /// As [`Model::read`] and [`check_fit`](Self::check_fit).
    pub fn read_into<R>(
        self,
        network: &mut Network,
        prepare: impl FnOnce(&Model<()>, &Network) -> R,
    ) -> Result<(Model<()>, R), ModelError> {
        self.check_fit(network.description())?;
        let Self { origin, model, opened } = self;
        let begun = AtomicBool::new(false);
        thread::scope(|scope| {
            let begun = &begun;
            // A thread takes as long to start as the numbers to read, so it comes first and waits for them.
            let (sender, receiver) = mpsc::sync_channel::<(Metadata, &Network)>(1);
            let origin = origin.as_str();
            let check = move || {
                begun.store(true, Ordering::Relaxed);
                match receiver.recv() {
                    Ok((metadata, network)) => metadata.check_seal(origin, views(network)),
                    // Reading failed, which is told elsewhere.
                    Err(_) => Ok(()),
                }
            };
            let worthwhile = network.values().len() >= WORTH_A_THREAD;
            let thread = worthwhile
                .then(|| thread::Builder::new().spawn_scoped(scope, check).ok())
                .flatten();
            let metadata = read_numbers(opened, network)?;
            let network = &*network;
            let Some(thread) = thread else {
                metadata.check_seal(origin, views(network))?;
                let prepared = prepare(&model, network);
                return Ok((model, prepared));
            };
            // It waits at the other end, or has panicked: then joining says so.
            let _ = sender.send((metadata, network));
            if !begun.load(Ordering::Relaxed) {
                aside::step();
            }
            let prepared = prepare(&model, network);
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            Ok((model, prepared))
        })
    }
}

/// Reads the numbers of a file that fits the network.
fn read_numbers(
    opened: Opened<BufReader<File>>,
    network: &mut Network,
) -> Result<Metadata, ModelError> {
    let ((parameters, mut values), (buffers, mut buffer_values)) = network.tensors_mut();
    let mut places: BTreeMap<&str, &mut [f32]> = BTreeMap::new();
    for parameter in parameters {
        let place = values.split_off_mut(..parameter.range.len()).unwrap_or_default();
        places.insert(&parameter.name, place);
    }
    for buffer in buffers {
        let place = buffer_values.split_off_mut(..buffer.range.len()).unwrap_or_default();
        places.insert(&buffer.name, place);
    }
    let names: Vec<String> =
        opened.tensors.iter().map(|Tensor { name, .. }| name.clone()).collect();
    opened.read_into(names.iter().map(|name| places.remove(name.as_str()).unwrap_or_default()))
}
