//! A resident with a wallet of their own.

use std::path::Path;
use std::sync::Arc;

use vouchsafe_protocol::text::Env;
use vouchsafe_service::clock::Clock;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_wallet::http::{Client, Http};
use vouchsafe_wallet::review::{Review, Wish};
use vouchsafe_wallet::vault::Cost;
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{Confirmed, Machine, Wallet};

use crate::exit::Failure;
use crate::world::World;

/// A resident and their wallet.
pub struct Resident {
    /// The wallet.
    pub wallet: Wallet,
}

impl Resident {
    /// A resident with an empty wallet in `dir` that trusts the district.
    ///
    /// # Errors
    /// When the vault cannot be made.
    pub async fn new(world: &World, dir: &Path, number: u32, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        Self::over(world, Arc::new(Client::new(world.client()?)), dir, number, clock).await
    }

    /// The same with another way to the network.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub async fn over(
        world: &World,
        http: Arc<dyn Http>,
        dir: &Path,
        number: u32,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let machine = Machine { http, clock, entropy: Arc::new(OsEntropy::new()), env: Env::Test };
        let passphrase = format!("the passphrase of {number:04}");
        let wallet = Wallet::open(dir, passphrase.as_bytes(), Cost::LEAST, machine)
            .await
            .map_err(Failure::unavailable)?;
        let trust = std::fs::read(world.district.trust_file()).map_err(Failure::unavailable)?;
        wallet.trust_add(&trust).await.map_err(Failure::unavailable)?;
        Ok(Self { wallet })
    }

    /// Collects what is offered; gives the number of copies.
    ///
    /// # Errors
    /// When the wallet or the issuer refuses.
    pub async fn receive(&self, offer: &str, tx_code: &str) -> Result<usize, Failure> {
        let received = self.wallet.receive(offer, Some(tx_code)).await;
        received
            .map(|collected| collected.received.iter().map(|batch| batch.copies).sum())
            .map_err(|e| Failure::refused(e.code(), e))
    }

    /// Reads a request.
    ///
    /// # Errors
    /// When the wallet refuses the request, with the reason.
    pub async fn review(&self, link: &str) -> Result<Review, Failure> {
        self.wallet.review(link).await.map_err(|e| Failure::refused(e.code(), e))
    }

    /// The review as the resident reads it; the wallet keeps that it was shown.
    ///
    /// # Errors
    /// As [`Self::review`].
    pub async fn read(&self, link: &str) -> Result<String, Failure> {
        let review = self.review(link).await?;
        self.wallet.shown(&review.reading()).await.map_err(Failure::unavailable)?;
        Ok(review.page(Language::En).to_string())
    }

    /// What the resident qualifies for, by the policies published at `url`, as they read it.
    ///
    /// # Errors
    /// When nothing is published there, or the registrar did not sign it.
    pub async fn entitled(&self, url: &str) -> Result<String, Failure> {
        let entitled = self.wallet.entitled_at(url).await.map_err(|e| Failure::refused(e.code(), e))?;
        Ok(entitled.iter().map(|one| one.words(Language::En)).collect::<Vec<_>>().join("\n"))
    }

    /// Shares what the review lists; gives where the browser goes on.
    ///
    /// # Errors
    /// When the wallet cannot answer, or the service does not take the answer.
    pub async fn share(&self, link: &str) -> Result<String, Failure> {
        self.send(link, Confirmed::Share).await
    }

    /// Shows that the rule is not met, confirmed apart.
    ///
    /// # Errors
    /// As [`Self::share`].
    pub async fn share_contrary(&self, link: &str) -> Result<String, Failure> {
        self.send(link, Confirmed::Contrary).await
    }

    async fn send(&self, link: &str, confirmed: Confirmed) -> Result<String, Failure> {
        self.read(link).await?;
        let review = self.wallet.review_as_read(link, &Wish::default()).await;
        let review = review.map_err(|e| Failure::refused(e.code(), e))?;
        let answered =
            self.wallet.share(&review, confirmed).await.map_err(|e| Failure::refused(e.code(), e))?;
        answered
            .redirect_uri
            .ok_or_else(|| Failure::unavailable("the service gave no way back to the browser"))
    }

    /// Says no.
    ///
    /// # Errors
    /// When the service cannot be reached.
    pub async fn decline(&self, link: &str) -> Result<(), Failure> {
        let review = self.review(link).await?;
        self.wallet.decline(&review).await.map(drop).map_err(|e| Failure::refused(e.code(), e))
    }
}
