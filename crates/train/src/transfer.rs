//! Transfer: training that starts from a model. Its network is taken over, but for the last dense layer and what follows
//! it (the head) where the classes are others; at first only the head learns, then everything.

use crate::config::Config;
use crate::error::TrainError;
use crate::session::LoadedModel;
use percept_data::Preprocessing;
use percept_nn::describe::{Description, LayerInfo};
use percept_nn::engine::Trunk;
use percept_nn::network::Network;
use percept_nn::spec::{Dense, LayerSpec, NetworkSpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// What a run took over from a model, and how it learns. A run that goes on does not need the model any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The [hash](LoadedModel::weight_hash) of the model's weights.
    pub from_sha256: String,
    /// The share of all steps, from the first, in which only the head learns, in 0 to 1.
    #[serde(default = "frozen")]
    pub frozen: f64,
    /// What the trunk's learning rates are multiplied by afterwards, above 0.
    #[serde(default = "trunk_rate")]
    pub trunk_rate: f64,
    /// What is done to pictures: the same as for the model.
    pub preprocessing: Preprocessing,
}

fn frozen() -> f64 {
    0.1
}

fn trunk_rate() -> f64 {
    0.3
}

/// What became of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The classes are the model's: it was taken over, in the order of the data's classes.
    Kept,
    /// It begins anew.
    New,
}

impl Transfer {
    /// Transfer from a model to data with these classes, with the usual settings: the head learns alone in the first
    /// tenth where it is new, and the trunk then at three tenths of the rate.
    #[must_use]
    pub fn of(model: &LoadedModel, class_names: &[String]) -> Self {
        let frozen = match Head::for_classes(model, class_names) {
            Head::Kept => 0.0,
            Head::New => frozen(),
        };
        Self {
            from_sha256: model.weight_hash(),
            frozen,
            trunk_rate: trunk_rate(),
            preprocessing: model.preprocessing.clone(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let Self { frozen, trunk_rate, .. } = *self;
        let reason = if !(0.0..=1.0).contains(&frozen) {
            format!("transfer.frozen must be a share of all steps from 0 to 1, found {frozen}")
        } else if !(trunk_rate.is_finite() && trunk_rate > 0.0) {
            format!(
                "transfer.trunk_rate must be above 0, found {trunk_rate}; a trunk that never learns has frozen = 1.0"
            )
        } else {
            return Ok(self.preprocessing.check()?);
        };
        Err(TrainError::Config { reason })
    }

    /// How the engine trains a network of so many steps in all.
    pub(crate) fn trunk(&self, network: &Description, steps: u64) -> Result<Trunk, TrainError> {
        let head = head(network)?;
        let frozen_steps = (self.frozen * steps as f64).round() as u64;
        Ok(Trunk { parameters: head.parameters.start, frozen_steps, rate: self.trunk_rate })
    }
}

impl Head {
    /// Whether the model's head serves these classes: whether they are the same, in any order.
    #[must_use]
    pub fn for_classes(model: &LoadedModel, class_names: &[String]) -> Self {
        let known = &model.model.class_names;
        let same =
            known.len() == class_names.len() && known.iter().all(|k| class_names.contains(k));
        if same { Self::Kept } else { Self::New }
    }
}

/// The model's network with outputs for so many classes.
///
/// # Errors
/// [`TrainError::Config`] where it has no dense layer that could be the head.
pub fn network_for(model: &NetworkSpec, classes: usize) -> Result<NetworkSpec, TrainError> {
    let mut spec = model.clone();
    last_dense(&mut spec).ok_or_else(headless)?.out_features = classes;
    Ok(spec)
}

/// The last dense layer outside of blocks, whose outputs are the classes.
pub(crate) fn last_dense(spec: &mut NetworkSpec) -> Option<&mut Dense> {
    spec.layers.iter_mut().rev().find_map(|layer| match layer {
        LayerSpec::Dense(dense) => Some(dense),
        _ => None,
    })
}

fn head(description: &Description) -> Result<&LayerInfo, TrainError> {
    let mut layers = description.layers.iter().rev();
    layers.find(|layer| matches!(layer.spec, LayerSpec::Dense(_))).ok_or_else(headless)
}

fn headless() -> TrainError {
    let reason = "the model's network has no dense layer outside of its blocks, whose place a new one could take";
    TrainError::Config { reason: reason.to_owned() }
}

/// Writes into a configuration what model it starts from.
pub(crate) fn complete(
    config: &mut Config,
    model: Option<&LoadedModel>,
    class_names: &[String],
) -> Result<(), TrainError> {
    match (model, &mut config.transfer) {
        (Some(model), Some(transfer)) => {
            transfer.from_sha256 = model.weight_hash();
            transfer.preprocessing = model.preprocessing.clone();
        }
        (Some(model), none) => *none = Some(Transfer::of(model, class_names)),
        (None, None) => {}
        (None, Some(transfer)) => {
            let reason = format!(
                "it starts from a model whose weights have the SHA-256 {}, which is not there: give that model, or another one, with --from, \
                 or leave out `transfer`",
                transfer.from_sha256
            );
            return Err(TrainError::Config { reason });
        }
    }
    Ok(())
}

/// Puts the model's numbers into a network that [`network_for`] made: all of the trunk's, and the head's where it is kept.
pub(crate) fn take_over(
    network: &mut Network,
    model: &LoadedModel,
    class_names: &[String],
) -> Result<Head, TrainError> {
    let fits = network_for(model.network.spec(), class_names.len())?;
    if (NetworkSpec { name: fits.name.clone(), ..network.spec().clone() }) != fits {
        let reason = "the network is not the model's: leave it out, it comes with the model";
        return Err(TrainError::Config { reason: reason.to_owned() });
    }
    let kept = Head::for_classes(model, class_names);
    let LayerInfo { parameters, buffers, .. } = head(network.description())?.clone();
    let places = places(&model.model.class_names, class_names);
    let source = &model.network;
    let ((own_parameters, values), (own_buffers, buffer_values)) = network.tensors_mut();
    let from = source.parameters().iter().map(|p| &p.range);
    let to = own_parameters.iter().map(|p| &p.range);
    copy(kept, parameters.start, &places, from.zip(to), source.values(), values);
    let from = source.buffers().iter().map(|b| &b.range);
    let to = own_buffers.iter().map(|b| &b.range);
    copy(kept, buffers.start, &places, from.zip(to), source.buffer_values(), buffer_values);
    Ok(kept)
}

/// Where each class of the data stands among the model's; nothing where one is new.
fn places(known: &[String], class_names: &[String]) -> Vec<usize> {
    let known: BTreeMap<&String, usize> = known.iter().zip(0..).collect();
    class_names.iter().filter_map(|name| known.get(name).copied()).collect()
}

/// Copies tensors, those from `head` on only where it is kept, their last axis in the order of `places`.
fn copy<'r>(
    kept: Head,
    head: usize,
    places: &[usize],
    ranges: impl Iterator<Item = (&'r Range<usize>, &'r Range<usize>)>,
    source: &[f32],
    destination: &mut [f32],
) {
    for (index, (from, to)) in ranges.enumerate() {
        match (index < head, kept) {
            (true, _) => destination[to.clone()].copy_from_slice(&source[from.clone()]),
            (false, Head::Kept) => {
                let rows = source[from.clone()].chunks_exact(places.len());
                for (to, from) in destination[to.clone()].chunks_exact_mut(places.len()).zip(rows) {
                    to.iter_mut().zip(places).for_each(|(to, place)| *to = from[*place]);
                }
            }
            (false, Head::New) => {}
        }
    }
}
