//! A batch of copies registers one pseudonym, for one request.

use super::*;

#[test]
fn a_batch_registers_one_pseudonym() {
    let (x, other) = (secret(5), secret(6));
    for count in [1, 2, 3, registration::MOST] {
        let batch = Batch::of(&x, count);
        let proof = batch.proof(&x);
        assert_eq!(proof.len(), registration::length(count));
        assert!(batch.registers(&proof).unwrap() == registration_nym(&x));
    }
    let again = Batch { c_nonce: "QmF0Y2ggdHdv", ..Batch::of(&other, 3) };
    assert!(again.registers(&again.proof(&other)).unwrap() == registration_nym(&other));
    assert!(registration_nym(&x) != registration_nym(&other));
    assert_eq!(registration::length(registration::MOST), 1_056);
}

/// One member of the request changed alone, in the request that a proof for `batch` is checked against.
pub(super) fn changed() -> Vec<(&'static str, Batch)> {
    let x = secret(5);
    let batch = || Batch::of(&x, 3);
    let with = |change: &dyn Fn(&mut Vec<NewCopy>)| {
        let mut copies = batch().copies;
        change(&mut copies);
        Batch { copies, ..batch() }
    };
    let more = Batch::of(&x, 4).copies[3];
    vec![
        ("issuer", Batch { issuer: "https://larkfield.example/", ..batch() }),
        ("type", Batch { vct: "https://larkfield.example/types/income/1/zk", ..batch() }),
        ("c_nonce", Batch { c_nonce: "QmF0Y2ggdHdv", ..batch() }),
        ("holder key", with(&|copies| copies[1].holder_key[31] ^= 1)),
        ("commitment", with(&|copies| copies[1].link = x.commit(&blinding("other")))),
        (
            "commitments swapped",
            with(&|copies| (copies[0].link, copies[1].link) = (copies[1].link, copies[0].link)),
        ),
        ("copies swapped", with(&|copies| copies.swap(0, 2))),
        ("a copy less", with(&|copies| copies.truncate(2))),
        ("a copy more", with(&|copies| copies.push(more))),
        ("another person's copy", with(&|copies| copies[1].link = secret(6).commit(&blinding("copy 1")))),
        ("no copies", with(&Vec::clear)),
    ]
}

#[test]
fn another_batch_is_not_registered() {
    let proof = Batch::of(&secret(5), 3).proof(&secret(5));
    for (name, batch) in changed() {
        assert!(batch.registers(&proof).is_none(), "{name}");
    }
    let nym = registration_nym(&secret(6)).to_bytes();
    let fitted = [&nym[..], &proof[32..]].concat();
    assert!(Batch::of(&secret(5), 3).registers(&fitted).is_none());
    assert!(Batch::of(&secret(5), 3).registers(&[&[0; 32], &proof[32..]].concat()).is_none());
}

#[test]
fn what_is_no_batch_has_no_proof() {
    let x = secret(5);
    let refused = |batch: &Batch| {
        assert!(batch.prove_with(&x, &mut rng()).is_none());
    };
    for (_, batch) in changed().into_iter().skip(4) {
        refused(&batch);
    }
    refused(&Batch::of(&x, registration::MOST + 1));
    refused(&Batch::of(&secret(6), 3));
    refused(&Batch { t: Batch::of(&x, 2).t, ..Batch::of(&x, 3) });
    refused(&Batch { t: Batch::of(&x, 4).t, ..Batch::of(&x, 3) });
    refused(&twice());
    let mut nought = Batch::of(&x, 3);
    nought.copies[1].link = Commitment([0; 32]);
    refused(&nought);
    assert!(nought.registers(&Batch::of(&x, 3).proof(&x)).is_none());
}

/// Two copies with one commitment: one handle for two answers.
pub(super) fn twice() -> Batch {
    let mut batch = Batch::of(&secret(5), 3);
    batch.copies[2].link = batch.copies[0].link;
    batch.t[2] = batch.t[0].clone();
    batch
}
