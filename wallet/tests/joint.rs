//! Two residents answer one question together, each with a wallet of their own: the story, and what neither wallet takes
//! of the other.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "joint/agreed.rs"]
mod agreed;
#[path = "joint/decoders.rs"]
mod decoders;
#[path = "joint/double.rs"]
mod double;
#[path = "joint/refused.rs"]
mod refused;
#[path = "joint/story.rs"]
mod story;
#[expect(dead_code, reason = "the other stories use the rest")]
mod world;

use std::sync::Arc;

use tempfile::TempDir;
use vouchsafe_protocol::openid4vp::link::Method;
use vouchsafe_wallet::joint::{CheckNumber, JointError, Next};
use vouchsafe_wallet::{Answered, Wallet};
use world::World;
use world::issuer::TX_CODE;
use world::issuer::home::home;
pub(crate) use world::killed;

/// One of the two.
pub(crate) struct Partner {
    pub(crate) wallet: Wallet,
    pub(crate) dir: TempDir,
}

/// Two people who live together, and a service that asks whether they are paid 1,400.00 together.
pub(crate) struct Couple {
    pub(crate) world: Arc<World>,
    /// Whose wallet gathers.
    pub(crate) one: Partner,
    /// Whose wallet is invited.
    pub(crate) two: Partner,
}

pub(crate) async fn partner(world: &Arc<World>, person: &'static str, total: u64) -> Partner {
    let dir = tempfile::tempdir().unwrap();
    let wallet = world.wallet(dir.path()).await;
    world.payers[0].pay(person, total);
    world.payers[1].say(home(person, "H0017"));
    for body in &world.payers {
        wallet.receive(&body.link(), Some(TX_CODE)).await.unwrap();
    }
    Partner { wallet, dir }
}

impl Couple {
    pub(crate) async fn new() -> Self {
        Self::of(World::of_couples()).await
    }

    pub(crate) async fn of(world: Arc<World>) -> Self {
        world.service.ask_couple(140_000);
        let one = partner(&world, "LD-0042", 90_000).await;
        let two = partner(&world, "LD-0041", 50_000).await;
        Self { world, one, two }
    }

    pub(crate) async fn invitation(&self) -> String {
        let link = self.world.service.link(Method::Post);
        let joining = self.one.wallet.join(&link).await.unwrap();
        self.one.wallet.invite(&joining).await.unwrap()
    }

    /// What the invited wallet tells.
    pub(crate) async fn contribution(&self) -> String {
        contributes(&self.two.wallet, &self.invitation().await).await.unwrap()
    }

    /// What the other makes of it.
    pub(crate) async fn proof(&self) -> String {
        proof(self.one.wallet.exchange(&self.contribution().await).await.unwrap())
    }

    /// What the invited wallet signs.
    pub(crate) async fn binding(&self) -> String {
        binding(self.two.wallet.exchange(&self.proof().await).await.unwrap())
    }
}

pub(crate) fn proof(next: Next) -> String {
    let Next::Proof(text) = next else { panic!("another message") };
    text
}

pub(crate) fn binding(next: Next) -> String {
    let Next::Binding(text) = next else { panic!("another message") };
    text
}

pub(crate) fn answered(next: Next) -> Answered {
    let Next::Answered(answered) = next else { panic!("another message") };
    answered
}

/// The invited person takes part, and types the number as the other one reads it out.
pub(crate) async fn contributes(wallet: &Wallet, invitation: &str) -> Result<String, JointError> {
    let invited = wallet.invited(invitation).await?;
    wallet.contribute(&invited, &CheckNumber::of(invitation).to_string()).await
}
