//! Another threshold of the mask, written into a plan in place.
//!
//! It decides which pixels are an object's, and is the one choice after training that a person makes by looking at pictures. The plan keeps
//! it in int8 steps of the tensor that it is compared with, so there are as many thresholds as steps.

use super::op::{Classify, Op};
use super::strips::Strips;
use crate::quant::{Clamp, saturate};

/// What the threshold is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// A probability.
    Probability,
    /// The logarithm of `p / (1 − p)`.
    Logit,
}

/// The operator that compares, and the tensor that it reads.
struct Place {
    operator: usize,
    tensor: u16,
    compared: Compared,
}

impl Strips<'_> {
    /// What the mask's threshold is compared with; `None` where classes are chosen without one.
    pub fn compared(&self) -> Option<Compared> {
        Some(self.classify()?.compared)
    }

    /// Has a pixel be an object's above `probability`; `value` is the same in the unit that it is [`compared`](Self::compared) in. Says
    /// whether there is an operator that compares; where there is none, the plan's post-processing record alone says it.
    pub fn set_threshold(&mut self, probability: f32, value: f32) -> bool {
        self.header.post.threshold = probability.into();
        let Some(Place { operator, tensor, .. }) = self.classify() else { return false };
        let Some(tensor) = self.plan().tensor(tensor) else { return false };
        let Some(record) = self.operators.get_mut(operator) else { return false };
        record.value = saturate(value / tensor.scale, tensor.zero_point, Clamp::FULL);
        true
    }

    fn classify(&self) -> Option<Place> {
        let plan = self.plan();
        let mut found = plan.operators().enumerate().filter_map(|(operator, it)| match it.op {
            Op::Classify(classify) => Some((operator, it.inputs.first()?.tensor.get(), classify)),
            _ => None,
        });
        let (operator, tensor, classify) = found.next()?;
        let compared = match classify {
            Classify::InteriorBorder { .. } => Compared::Probability,
            Classify::Above { .. } => {
                let quant = plan.tensor(tensor)?;
                let maker = usize::from(tensor).checked_sub(1).and_then(|index| plan.operators().nth(index));
                match maker.map(|it| it.op) {
                    Some(Op::Table(values)) if within_unit(values, quant.scale, quant.zero_point) => {
                        Compared::Probability
                    }
                    _ => Compared::Logit,
                }
            }
        };
        Some(Place { operator, tensor, compared })
    }
}

/// Whether all of a table's values are probabilities, but for a rounding: it is a sigmoid then.
fn within_unit(values: &[i8], scale: f32, zero_point: i8) -> bool {
    values.iter().all(|&value| {
        let real = scale * (f32::from(value) - f32::from(zero_point));
        (-scale..=1.0 + scale).contains(&real)
    })
}
