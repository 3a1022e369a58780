//! Model and checkpoint files: no panic, bounded memory, and what is accepted is written to bytes that read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use percept_data::Preprocessing;
use percept_model::checkpoint::Checkpoint;
use percept_model::model::Model;
use percept_nn::describe::Description;
use percept_nn::network::Network;

fuzz_target!(|bytes: &[u8]| {
    let limit = (256 << 10) + 64 * bytes.len();
    if let Ok(model) = percept_fuzz::within(limit, || Model::from_bytes(bytes)) {
        check_model(&model);
    }
    if let Ok(checkpoint) = percept_fuzz::within(limit, || Checkpoint::from_bytes(bytes)) {
        let written = checkpoint.to_bytes().expect("what was read can be written");
        let again = Checkpoint::from_bytes(&written).expect("what was written can be read");
        // Bytes, not values: a number may be NaN, which equals nothing.
        assert_eq!(again.to_bytes().expect("written"), written);
    }
});

fn check_model(model: &Model) {
    let written = model.to_bytes().expect("what was read can be written");
    let again = Model::from_bytes(&written).expect("what was written can be read");
    assert_eq!(again.to_bytes().expect("written"), written);
    assert_eq!(again.weight_hash(), model.weight_hash());
    if let Ok(preprocessing) = model.preprocessing_as::<Preprocessing>("fuzz") {
        let _ = preprocessing.check();
    }
    restore(model);
}

/// Puts the weights into their network, if it is a small one.
fn restore(model: &Model) {
    match Description::new(&model.spec) {
        Ok(description) if description.parameter_len() + description.buffer_len() < 1 << 16 => {}
        _ => return,
    }
    let mut network = Network::<f32>::zeroed(model.spec.clone()).expect("its description is good");
    let (parameters, buffers) = network.tensors_mut();
    let _ = model.restore("fuzz", parameters, buffers);
}
