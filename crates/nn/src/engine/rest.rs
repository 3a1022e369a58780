//! An engine at rest between two steps: what a checkpoint keeps of it.

use super::Engine;
use crate::error::EngineError;
use crate::state::{EngineState, StateArray};
use percept_kernels::element::Element;

impl<T: Element> Engine<T> {
    /// Everything beside the network that the next step depends on.
    #[must_use]
    pub fn state(&self) -> EngineState<T> {
        let parameters = self.network.parameters();
        let mut arrays = Vec::new();
        for (index, parameter) in parameters.iter().enumerate() {
            for array in 0..self.settings.optimizer.state_arrays(parameter) {
                let parts = self.parts.iter().filter(|part| part.parameter == index);
                let values = parts
                    .flat_map(|part| {
                        let len = part.average.len();
                        part.state[array * len..][..len].iter().copied()
                    })
                    .collect();
                arrays.push(StateArray { parameter: index, array, values });
            }
        }
        let average = self.settings.average.map(|_| {
            let values = self.parts.iter().flat_map(|part| part.average.iter().copied());
            (values.collect(), self.average_buffers.to_vec())
        });
        EngineState { step: self.step, arrays, average }
    }

    /// Takes up a state that [`state`](Self::state) gave for the same network and settings.
    ///
    /// # Errors
    /// [`EngineError::State`] where it does not fit; the engine is then as before.
    pub fn restore(&mut self, state: &EngineState<T>) -> Result<(), EngineError> {
        self.check_state(state)?;
        for StateArray { parameter, array, values } in &state.arrays {
            let mut rest = &values[..];
            for part in self.parts.iter_mut().filter(|part| part.parameter == *parameter) {
                let len = part.average.len();
                let (values, after) = rest.split_at(len);
                part.state[array * len..][..len].copy_from_slice(values);
                rest = after;
            }
        }
        if let Some((values, buffers)) = &state.average {
            for (part, range) in self.parts.iter_mut().zip(&self.part_ranges) {
                part.average.copy_from_slice(&values[range.clone()]);
            }
            self.average_buffers.copy_from_slice(buffers);
        }
        self.step = state.step;
        Ok(())
    }

    fn check_state(&self, state: &EngineState<T>) -> Result<(), EngineError> {
        let refuse = |reason: String| Err(EngineError::State { reason });
        let parameters = self.network.parameters();
        let optimizer = &self.settings.optimizer;
        let expected: usize = parameters.iter().map(|p| optimizer.state_arrays(p)).sum();
        if state.arrays.len() != expected {
            return refuse(format!(
                "the optimizer keeps {expected} arrays, the state has {}",
                state.arrays.len()
            ));
        }
        for StateArray { parameter, array, values } in &state.arrays {
            let fits = parameters.get(*parameter).is_some_and(|p| {
                *array < optimizer.state_arrays(p) && values.len() == p.range.len()
            });
            if !fits {
                return refuse(format!("array {array} of parameter {parameter} has no place"));
            }
        }
        let lengths = state.average.as_ref().map(|(values, buffers)| (values.len(), buffers.len()));
        let own = (self.network.values().len(), self.network.buffer_values().len());
        if lengths != self.settings.average.map(|_| own) {
            return refuse("the moving average does not fit".to_owned());
        }
        Ok(())
    }
}
