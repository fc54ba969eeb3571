//! How far a reader has been told of the events.

use crate::records::{Event, Records};

/// Most events that are told of those that were missed.
const MOST_MISSED: usize = 1000;

/// The number of the last event that was told.
pub(super) struct Told(u64);

impl Told {
    /// Goes on behind the last event that the reader knows; from now on, if it knows none. One of which it cannot know
    /// yet belongs to other events than these, of which it has none then.
    pub(super) fn new(known: Option<u64>, last: u64) -> Self {
        Self(match known {
            Some(known) if known > last => 0,
            Some(known) => known,
            None => last,
        })
    }

    /// The events that are to be told now, and how many are left out before them.
    pub(super) fn next(&mut self, records: &Records) -> (u64, Vec<Event>) {
        let events = records.events(self.0, MOST_MISSED, |_| true);
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return (0, events);
        };
        let skipped = first.seq.saturating_sub(self.0 + 1);
        self.0 = last.seq;
        (skipped, events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{EventKind, News};

    fn told(told: &mut Told, records: &Records) -> (u64, Vec<u64>) {
        let (skipped, events) = told.next(records);
        (skipped, events.iter().map(|event| event.seq).collect())
    }

    #[test]
    fn each_event_is_told_once_to_whoever_has_missed_it() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(folder.path());
        let note = |count| (0..count).for_each(|_| records.note(News::new(EventKind::Action, "restart")));
        note(3);
        let mut new = Told::new(None, 3);
        let mut old = Told::new(Some(1), 3);
        let mut foreign = Told::new(Some(900), 3);
        assert_eq!(told(&mut new, &records), (0, vec![]));
        assert_eq!(told(&mut old, &records), (0, vec![2, 3]));
        assert_eq!(
            told(&mut foreign, &records),
            (0, vec![1, 2, 3]),
            "its number means nothing here"
        );
        // Also those that come while others are told.
        note(1);
        for one in [&mut new, &mut old, &mut foreign] {
            assert_eq!(told(one, &records), (0, vec![4]));
            assert_eq!(told(one, &records), (0, vec![]));
        }
        note(MOST_MISSED + 5);
        let (skipped, events) = told(&mut new, &records);
        assert_eq!((skipped, events.len()), (5, MOST_MISSED));
    }
}
