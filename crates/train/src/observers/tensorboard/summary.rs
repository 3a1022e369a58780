//! TensorFlow's `Event` messages, as protobuf (`tensorflow/core/util/event.proto`, `framework/summary.proto`).

/// The event that every file begins with.
pub(super) fn version(wall_time: f64) -> Vec<u8> {
    Message::default().double(1, wall_time).bytes(3, b"brain.Event:2").0
}

/// Says that the run goes on with `step`: what an earlier file says of that step and later ones is void.
pub(super) fn restart(wall_time: f64, step: u64) -> Vec<u8> {
    const START: u64 = 1;
    let session_log = Message::default().integer(1, START);
    event(wall_time, step).bytes(7, &session_log.0).0
}

/// Values of one step by their tags.
pub(super) fn scalars(wall_time: f64, step: u64, values: &[(&str, f64)]) -> Vec<u8> {
    let summary = values.iter().fold(Message::default(), |summary, (tag, value)| {
        let value = Message::default().bytes(1, tag.as_bytes()).float(2, *value as f32);
        summary.bytes(1, &value.0)
    });
    event(wall_time, step).bytes(5, &summary.0).0
}

fn event(wall_time: f64, step: u64) -> Message {
    Message::default().double(1, wall_time).integer(2, step)
}

/// A protobuf message: a list of fields, each begun by its number and wire type.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn integer(mut self, field: u8, value: u64) -> Self {
        self.key(field, 0);
        self.varint(value);
        self
    }

    fn double(mut self, field: u8, value: f64) -> Self {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u8, bytes: &[u8]) -> Self {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn float(mut self, field: u8, value: f32) -> Self {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Field numbers here are below 16 and fit one byte with the wire type.
    fn key(&mut self, field: u8, wire_type: u8) {
        self.0.push(field << 3 | wire_type);
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value > 0x7F {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SerializeToString` of TensorBoard 2.21.0's `Event` with the same content.
    #[test]
    fn bytes_are_those_of_tensorboard() {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(version(1.5)), "09000000000000f83f1a0d627261696e2e4576656e743a32");
        assert_eq!(hex(restart(1.5, 431)), "09000000000000f83f10af033a020801");
        let expected =
            "09000000000000f83f10ac022a1c0a100a096c6f73732f73746570150000803e0a080a017815000000c0";
        assert_eq!(hex(scalars(1.5, 300, &[("loss/step", 0.25), ("x", -2.0)])), expected);
    }
}
