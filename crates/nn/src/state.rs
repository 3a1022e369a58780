//! What an engine carries from step to step beside the network's numbers.

/// Everything beside the network that the next step depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineState<T> {
    /// Steps done.
    pub step: u64,
    /// The optimizer's momentum or moments.
    pub arrays: Vec<StateArray<T>>,
    /// The averaged parameters and buffers, where an average is kept.
    pub average: Option<(Vec<T>, Vec<T>)>,
}

/// One array of the optimizer's state, as long as its parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct StateArray<T> {
    /// Index of the parameter.
    pub parameter: usize,
    /// Which of the parameter's arrays.
    pub array: usize,
    /// Its numbers.
    pub values: Vec<T>,
}
