//! What the verifier states in its log about itself: which policies, register and keys are in force from now on.
//!
//! A statement is made where the digest under a name is another than was stated last. Replicas that start together make one.
//! Where some run by one policy and some by another, each states its own when it starts: both were in force.

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::decision::leaf;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::{SignError, Signer as _};
use vouchsafe_protocol::tlog::notice::{Claims, TYP, What};
use vouchsafe_service::entropy;

use crate::app::{App, Unavailable};
use crate::secrets::Kind;
use crate::store::{Notice, RequestId, ServiceId};

/// Something in force.
struct Current {
    what: What,
    id: String,
    digest: [u8; 32],
}

/// States what is in force and was not stated so last; gives how many statements were made. For `serve` and `dev`, when they
/// start, and after every reload.
///
/// # Errors
/// When the store does not answer or the key is away; what was stated before stays.
pub async fn declare(app: &App) -> Result<usize, Unavailable> {
    let mut made = 0;
    for current in in_force(app) {
        let last = app.store().log_in_force(current.what.as_str(), &current.id).await?;
        if !(mutants::skips("store-notice-changed") || last != Some(current.digest)) {
            continue;
        }
        let notice = signed(app, current).await?;
        made += usize::from(app.store().log_notice(notice).await?);
    }
    Ok(made)
}

fn in_force(app: &App) -> Vec<Current> {
    let rules = app.rules();
    let policy = |(id, policy): (&String, &std::sync::Arc<vouchsafe_protocol::policy::Policy>)| Current {
        what: What::Policy,
        id: id.clone(),
        digest: *policy.digest(),
    };
    let mut all: Vec<Current> = rules.policies.iter().map(policy).collect();
    let registrar = rules.trust.registrar.iss.clone();
    all.push(Current { what: What::Register, id: registrar, digest: rules.register_digest });
    let keys = [
        ("decision", Some(app.desk().signer().0.public().thumbprint())),
        ("request", Some(app.signer().key.public().thumbprint())),
        ("log", app.log_desk().map(|desk| desk.key().public().thumbprint())),
    ];
    for (id, thumbprint) in keys {
        all.extend(thumbprint.map(|digest| Current { what: What::Key, id: id.to_owned(), digest }));
    }
    all
}

async fn signed(app: &App, current: Current) -> Result<Notice, SignError> {
    let (signer, kid) = app.desk().signer();
    let claims = Claims {
        iss: app.config().origin.clone(),
        jti: entropy::id16(app.entropy()),
        iat: app.now(),
        what: current.what,
        id: current.id.clone(),
        digest: b64u(current.digest),
    };
    let unsigned = claims.unsigned(signer.alg(), kid);
    let entry = leaf(TYP, unsigned.signing_input());
    let jws = vouchsafe_protocol::jose::jws::sign(unsigned, signer).await?;
    let what = current.what.as_str();
    let (of, named) = (ServiceId(what.to_owned()), RequestId(current.id.clone()));
    let jws = app.vault().bind(Kind::Notice, &of, &named, &jws);
    Ok(Notice { what, id: current.id, digest: current.digest, jti: claims.jti, jws, entry })
}
