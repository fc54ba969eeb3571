//! What a change has left, as long as it is not safe.

use tokio::runtime::Handle;

use crate::error::StoreError;
use crate::journal::group::Ticket;
use crate::shared::Working;

/// How a change becomes safe, once it is on its way. Small, as it is part of handlers' futures.
pub(crate) enum Settling {
    Settled,
    Behind(Ticket),
    Through(Working<()>),
}

/// What a change has left, which counts once the change is safe: [`saved`](Self::saved) waits for that, and
/// [`then`](Self::then) does something when it is so.
///
/// The change becomes safe also when nobody waits for it.
#[must_use = "nobody is to be told of a change before it is safe"]
pub struct Unsaved<T> {
    pub(crate) value: T,
    pub(crate) settling: Settling,
    /// A runtime for when whoever waits has none.
    pub(crate) other: Handle,
}

impl<T> Unsaved<T> {
    /// The same change with something else of what it has left.
    pub fn map<R>(self, map: impl FnOnce(T) -> R) -> Unsaved<R> {
        Unsaved {
            value: map(self.value),
            settling: self.settling,
            other: self.other,
        }
    }

    /// Waits until the change is safe.
    ///
    /// # Errors
    /// After [`StoreError::Uncertain`] the change may have become safe all the same; the object is then
    /// [`StoreError::Lost`], and the entity is to be loaded again. After any other nothing has changed.
    pub async fn saved(self) -> Result<T, StoreError> {
        let result = match self.settling {
            Settling::Settled => Ok(()),
            Settling::Behind(ticket) => ticket.safe(&self.other).await,
            Settling::Through(writing) => writing.await,
        };
        result.map(|()| self.value)
    }
}

impl<T, X> Unsaved<Result<T, X>> {
    /// What is fine of it alone. After an `Err` the change becomes safe all the same.
    ///
    /// # Errors
    /// The one that is in it.
    pub fn transpose(self) -> Result<Unsaved<T>, X> {
        Ok(Unsaved {
            value: self.value?,
            settling: self.settling,
            other: self.other,
        })
    }
}

impl<T: 'static> Unsaved<T> {
    /// Has `told` called on this thread once the change is safe, or has failed as [`saved`](Self::saved) says; at once,
    /// if it is. All who wait for the same sync of the journal are told in one go, without a task for each.
    ///
    /// # Panics
    /// Outside of a [`LocalSet`](tokio::task::LocalSet).
    pub fn then(self, told: impl FnOnce(Result<T, StoreError>) + 'static) {
        let Self { value, settling, .. } = self;
        match settling {
            Settling::Settled => told(Ok(value)),
            Settling::Behind(ticket) => ticket.then(|result| told(result.map(|()| value))),
            Settling::Through(writing) => {
                tokio::task::spawn_local(async move { told(writing.await.map(|()| value)) });
            }
        }
    }
}
