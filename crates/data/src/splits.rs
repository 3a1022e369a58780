//! Which examples train, which validate, and which stay unseen until the end.

use std::ops::Range;
use std::sync::Arc;

use percept_kernels::random::{Draws, Purpose};

use crate::{Dataset, Error};

/// How many examples are held out from training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HoldOut {
    /// This many examples.
    Count(usize),
    /// This share of all examples, in 0..1.
    Fraction(f64),
}

impl HoldOut {
    /// The number of examples out of `total`.
    fn of(self, total: usize) -> Result<usize, Error> {
        let count = match self {
            Self::Count(count) => count,
            Self::Fraction(share) if (0.0..1.0).contains(&share) => {
                (share * total as f64).round() as usize
            }
            Self::Fraction(share) => {
                return Err(Error::setting("the held-out share", "in 0..1", share));
            }
        };
        if count >= total {
            let expected = format!("less than the {total} examples there are");
            return Err(Error::setting("the number of held-out examples", expected, count));
        }
        Ok(count)
    }
}

/// Some examples of a data set.
#[derive(Clone, Debug)]
pub struct Part {
    /// The data set.
    pub dataset: Arc<Dataset>,
    /// Indices into it, without repetition.
    pub examples: Vec<u32>,
}

impl Part {
    /// Every example of a data set.
    #[must_use]
    pub fn whole(dataset: Arc<Dataset>) -> Self {
        let examples = (0..dataset.len() as u32).collect();
        Self { dataset, examples }
    }
}

/// The part of the data kept for the final evaluation. It is opened once, by value; nothing is read before.
pub struct TestPart(TestPlace);

enum TestPlace {
    Within(Part),
    Separate { read: Box<dyn FnOnce() -> Result<Dataset, Error> + Send>, expected: Option<usize> },
}

impl TestPart {
    /// A test part that is a data set of its own, read only when opened.
    pub fn separate(read: impl FnOnce() -> Result<Dataset, Error> + Send + 'static) -> Self {
        Self(TestPlace::Separate { read: Box::new(read), expected: None })
    }

    /// As [`separate`](Self::separate), where it is known how many examples there should be.
    pub fn separate_of(
        expected: usize,
        read: impl FnOnce() -> Result<Dataset, Error> + Send + 'static,
    ) -> Self {
        Self(TestPlace::Separate { read: Box::new(read), expected: Some(expected) })
    }

    /// How many examples there should be, where that is known before they are read.
    #[must_use]
    pub fn expected(&self) -> Option<usize> {
        match &self.0 {
            TestPlace::Within(part) => Some(part.examples.len()),
            TestPlace::Separate { expected, .. } => *expected,
        }
    }

    /// Whether the examples must be read first, being no part of the data set to learn from.
    #[must_use]
    pub fn is_separate(&self) -> bool {
        matches!(self.0, TestPlace::Separate { .. })
    }

    /// Hands the test examples to evaluation, reading them if need be.
    ///
    /// # Errors
    /// Those of reading the data.
    pub fn open(self) -> Result<Part, Error> {
        match self.0 {
            TestPlace::Within(part) => Ok(part),
            TestPlace::Separate { read, .. } => {
                read().map(|dataset| Part::whole(Arc::new(dataset)))
            }
        }
    }
}

impl std::fmt::Debug for TestPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestPart(unopened)")
    }
}

/// A data set divided into disjoint parts for training, validation and test.
#[derive(Debug)]
pub struct Splits {
    dataset: Arc<Dataset>,
    train: Vec<u32>,
    validation: Vec<u32>,
    test: Option<TestPart>,
}

impl Splits {
    /// Holds out validation examples from `dataset`; the test part, if there is one, is elsewhere.
    ///
    /// The choice depends on `seed` alone and is stratified: each class gives its share, to within one example; it keeps one to learn
    /// from, as long as the others can give the rest.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use percept_data::{Dataset, HoldOut, ImageShape, Splits};
    /// let labels: Vec<u32> = (0..100).map(|i| i % 2).collect();
    /// let names = vec!["even".into(), "odd".into()];
    /// let data = Dataset::new("numbers", ImageShape::grey(1, 1), vec![0; 100], labels, names)?;
    /// let splits = Splits::new(Arc::new(data), HoldOut::Count(10), None, 42)?;
    /// assert_eq!((splits.train().len(), splits.validation().len()), (90, 10));
    /// # Ok::<(), percept_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] when nothing would be left to train on.
    pub fn new(
        dataset: Arc<Dataset>,
        validation: HoldOut,
        test: Option<TestPart>,
        seed: u64,
    ) -> Result<Self, Error> {
        let all: Vec<u32> = (0..dataset.len() as u32).collect();
        let count = validation.of(all.len())?;
        let (validation, train) = hold_out(&dataset, &all, count, seed, Held::Validation);
        Ok(Self { dataset, train, validation, test })
    }

    /// Holds out validation and test examples from one data set that comes without a test part of its own.
    ///
    /// # Errors
    /// [`Error::Setting`] when nothing would be left to train on.
    pub fn with_test_within(
        dataset: Arc<Dataset>,
        validation: HoldOut,
        test: HoldOut,
        seed: u64,
    ) -> Result<Self, Error> {
        let all: Vec<u32> = (0..dataset.len() as u32).collect();
        let test_count = test.of(all.len())?;
        let validation_count = validation.of(all.len())?;
        let (examples, rest) = hold_out(&dataset, &all, test_count, seed, Held::Test);
        let validation_count = HoldOut::Count(validation_count).of(rest.len())?;
        let (validation, train) =
            hold_out(&dataset, &rest, validation_count, seed, Held::Validation);
        let test = TestPart(TestPlace::Within(Part { dataset: dataset.clone(), examples }));
        Ok(Self { dataset, train, validation, test: Some(test) })
    }

    /// Splits of a data set that says itself which of its examples are for validation. Where it comes without a test part,
    /// test examples are held out from the others.
    ///
    /// # Errors
    /// [`Error::Setting`] when nothing would be left to train on.
    pub fn with_own_validation(
        dataset: Arc<Dataset>,
        validation: Range<u32>,
        test: Option<TestPart>,
        held_out_test: HoldOut,
        seed: u64,
    ) -> Result<Self, Error> {
        let all = 0..dataset.len() as u32;
        let (validation, rest): (Vec<u32>, Vec<u32>) =
            all.partition(|example| validation.contains(example));
        let count = match test {
            Some(_) => 0,
            None => held_out_test.of(rest.len())?,
        };
        HoldOut::Count(count).of(rest.len())?;
        let (examples, train) = hold_out(&dataset, &rest, count, seed, Held::Test);
        let within = || TestPart(TestPlace::Within(Part { dataset: dataset.clone(), examples }));
        let test = test.or_else(|| (count > 0).then(within));
        Ok(Self { dataset, train, validation, test })
    }

    /// The data set that training and validation examples are from.
    #[must_use]
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.dataset
    }

    /// Indices of the training examples, ascending.
    #[must_use]
    pub fn train(&self) -> &[u32] {
        &self.train
    }

    /// Indices of the validation examples, ascending; may be empty.
    #[must_use]
    pub fn validation(&self) -> &[u32] {
        &self.validation
    }

    /// Hands out the test part; `None` when there is none, or when it was handed out before.
    pub fn take_test(&mut self) -> Option<TestPart> {
        self.test.take()
    }
}

/// What examples are held out for: each has its own random numbers.
#[derive(Clone, Copy)]
enum Held {
    Validation = 0,
    Test = 1,
}

/// Divides `from` into `count` held-out examples and the rest, both ascending.
fn hold_out(
    dataset: &Dataset,
    from: &[u32],
    count: usize,
    seed: u64,
    held: Held,
) -> (Vec<u32>, Vec<u32>) {
    let mut classes = vec![Vec::new(); dataset.class_names().len()];
    for &example in from {
        classes[dataset.label(example as usize) as usize].push(example);
    }
    let sizes: Vec<usize> = classes.iter().map(Vec::len).collect();
    let (mut out, mut rest) = (Vec::with_capacity(count), Vec::with_capacity(from.len()));
    for ((class, mut examples), quota) in classes.into_iter().enumerate().zip(quotas(&sizes, count))
    {
        Draws::new(seed, Purpose::Split, held as u32, class as u64).shuffle(&mut examples);
        rest.extend_from_slice(&examples[quota..]);
        examples.truncate(quota);
        out.extend(examples);
    }
    out.sort_unstable();
    rest.sort_unstable();
    (out, rest)
}

/// Each class's share of `count`. A class keeps one example to learn from, as long as the others can give the rest.
fn quotas(sizes: &[usize], count: usize) -> Vec<usize> {
    let spare: Vec<usize> = sizes.iter().map(|size| size.saturating_sub(1)).collect();
    let most = if spare.iter().sum::<usize>() < count { sizes } else { &spare };
    // Classes that give all they can, which is less than their share: the others share out the rest.
    let mut gives_all: Vec<bool> = most.iter().map(|most| *most == 0).collect();
    loop {
        let given: usize = (0..sizes.len()).filter(|&c| gives_all[c]).map(|c| most[c]).sum();
        let sharing = |class: usize| if gives_all[class] { 0 } else { sizes[class] };
        let sharing: Vec<usize> = (0..sizes.len()).map(sharing).collect();
        let mut quotas = shares(&sharing, count - given);
        let too_much = |class: &usize| !gives_all[*class] && quotas[*class] > most[*class];
        let too_much: Vec<usize> = (0..sizes.len()).filter(too_much).collect();
        if too_much.is_empty() {
            let all = quotas.iter_mut().zip(most).zip(gives_all);
            all.filter(|(_, gives_all)| *gives_all).for_each(|((quota, most), _)| *quota = *most);
            return quotas;
        }
        too_much.into_iter().for_each(|class| gives_all[class] = true);
    }
}

/// The share of `count` by largest remainder (Hamilton); of equal remainders the earlier class is served first.
fn shares(sizes: &[usize], count: usize) -> Vec<usize> {
    let total = sizes.iter().sum::<usize>().max(1) as u128;
    let exact: Vec<u128> = sizes.iter().map(|&size| size as u128 * count as u128).collect();
    let mut quotas: Vec<usize> = exact.iter().map(|share| (share / total) as usize).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&class| std::cmp::Reverse(exact[class] % total));
    let missing = count - quotas.iter().sum::<usize>();
    for &class in order.iter().take(missing) {
        quotas[class] += 1;
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;

    /// 30 % class 0, 70 % class 1, plus one lone example of class 2.
    fn uneven() -> Arc<Dataset> {
        let labels: Vec<u32> = (0..1000).map(|i| u32::from(i % 10 >= 3)).chain([2]).collect();
        let names = ["a", "b", "c"].map(String::from).to_vec();
        let shape = ImageShape::grey(1, 1);
        Arc::new(Dataset::new("uneven", shape, vec![0; labels.len()], labels, names).unwrap())
    }

    fn count(dataset: &Dataset, examples: &[u32], class: u32) -> usize {
        examples.iter().filter(|&&e| dataset.label(e as usize) == class).count()
    }

    #[test]
    fn parts_are_disjoint_complete_and_stratified() {
        let data = uneven();
        let (v, t) = (HoldOut::Count(100), HoldOut::Fraction(0.2));
        let mut splits = Splits::with_test_within(data.clone(), v, t, 1).unwrap();
        let test = splits.take_test().unwrap().open().unwrap().examples;
        assert_eq!((splits.validation().len(), test.len()), (100, 200));
        assert_eq!((count(&data, &test, 0), count(&data, &test, 1)), (60, 140));
        assert_eq!(count(&data, splits.validation(), 0), 30);
        let mut all = [splits.train(), splits.validation(), &test].concat();
        all.sort_unstable();
        assert_eq!(all, (0..1001).collect::<Vec<_>>());
    }

    #[test]
    fn a_validation_part_of_ones_own_is_kept() {
        let data = uneven();
        let own = |test: Option<TestPart>, held: usize| {
            Splits::with_own_validation(data.clone(), 900..1001, test, HoldOut::Count(held), 1)
        };
        let splits = own(None, 0).unwrap();
        assert_eq!(splits.validation(), (900..1001).collect::<Vec<_>>());
        assert_eq!((splits.train().len(), splits.test.is_none()), (900, true));
        let mut splits = own(None, 100).unwrap();
        let test = splits.take_test().unwrap().open().unwrap().examples;
        assert_eq!((splits.train().len(), count(&data, &test, 0)), (800, 30));
        assert!(test.iter().all(|example| *example < 900 && !splits.train().contains(example)));
        let elsewhere = TestPart::separate(|| panic!("not read"));
        assert_eq!(own(Some(elsewhere), 100).unwrap().train().len(), 900);
        assert!(own(None, 900).is_err());
        let whole = Splits::with_own_validation(data, 0..1001, None, HoldOut::Count(0), 1);
        assert!(whole.is_err());
    }

    #[test]
    fn the_choice_follows_the_seed_and_nothing_else() {
        let choose = |seed| {
            let splits = Splits::new(uneven(), HoldOut::Count(100), None, seed).unwrap();
            splits.validation().to_vec()
        };
        assert_eq!(choose(1), choose(1));
        assert_ne!(choose(1), choose(2));
    }

    #[test]
    fn the_test_part_is_handed_out_once_and_read_only_then() {
        let test = TestPart::separate(|| panic!("read although nobody opened it"));
        let mut splits = Splits::new(uneven(), HoldOut::Count(1), Some(test), 0).unwrap();
        assert!(splits.take_test().is_some());
        assert!(splits.take_test().is_none());
    }

    #[test]
    fn holding_out_everything_is_refused() {
        for held in [HoldOut::Count(1001), HoldOut::Fraction(1.0), HoldOut::Fraction(f64::NAN)] {
            let error = Splits::new(uneven(), held, None, 0).unwrap_err();
            assert!(error.to_string().contains("held-out"), "{error}");
        }
        let half = HoldOut::Fraction(0.5);
        assert!(Splits::with_test_within(uneven(), half, HoldOut::Fraction(0.6), 0).is_err());
        assert!(Splits::new(uneven(), HoldOut::Count(0), None, 0).unwrap().validation().is_empty());
    }

    /// Hamilton's method by hand: shares 4.5, 3.3, 2.2 of 10 from sizes 45, 33, 22.
    #[test]
    fn quotas_by_largest_remainder() {
        assert_eq!(quotas(&[45, 33, 22], 10), [5, 3, 2]);
        assert_eq!(quotas(&[1, 1, 1], 2), [1, 1, 0]);
        assert_eq!(quotas(&[0, 5], 3), [0, 3]);
    }

    /// By hand: the two large classes share out what the classes of one example keep; where nobody has more than one, all give.
    #[test]
    fn a_class_keeps_one_example_to_learn_from() {
        assert_eq!(quotas(&[20, 20, 1, 1, 1, 1, 1, 1], 12), [6, 6, 0, 0, 0, 0, 0, 0]);
        // Shares 4.2, 1.4 and 1.4 of 7: the second class would give both it has. Of 8, somebody has to.
        assert_eq!(quotas(&[6, 2, 2], 7), [5, 1, 1]);
        assert_eq!(quotas(&[6, 2, 2], 8), [5, 2, 1]);
        assert_eq!(quotas(&[1, 1, 1, 1], 3), [1, 1, 1, 0]);
    }
}
