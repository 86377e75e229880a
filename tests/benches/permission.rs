//! Whether a permission is in force, as a service asks before each use, against one bare read by the key of the table: same
//! database, each read in a transaction of its own.

use std::sync::Arc;

use jiff::civil::{Date, date};
use tokio::runtime::{Builder, Runtime};
use vouchsafe::demo::browser::{Browser, wallet_link};
use vouchsafe::demo::operator::Operator;
use vouchsafe::demo::resident::Resident;
use vouchsafe::dev;
use vouchsafe::district::{Databases, REMINDER, SCHOOLS, residents};
use vouchsafe::world::{Ports, World, opening};
use vouchsafe_cluster::{Cluster, USER};
use vouchsafe_protocol::text::Env;
use vouchsafe_service::clock::{Clock, ManualClock};
use vouchsafe_service::store::{Postgres, Schema, Server, Sqlite};
use vouchsafe_verifier::permissions::{Asking, Checked, Standing, check};
use vouchsafe_verifier::store::{PermissionId, Tenant, postgres, sqlite};

use crate::measure::{Report, against};

const TODAY: Date = date(2026, 11, 20);
const READ: &str = "SELECT state FROM permissions WHERE service_id = $1 AND id = $2 AND env = 'test'";

pub(crate) fn benches() -> Vec<Report> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    vec![on_a_file(&runtime), on_a_server(&runtime)]
}

/// A running district in which somebody agreed to be reminded.
struct Agreed {
    world: World,
    id: PermissionId,
    _folder: tempfile::TempDir,
}

impl Agreed {
    async fn on(databases: &Databases) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(opening()));
        let district = folder.path().join("d");
        let started = World::start_on(&district, Ports::default(), databases, clock.clone());
        let world = started.await.expect("a district");
        dev::enrol(&world, TODAY).await.expect("enrolled");
        let vault = folder.path().join("wallet");
        let resident = Resident::new(&world, &vault, residents::MET, clock).await.expect("a wallet");
        let offer = dev::offer(&world, residents::MET).await.expect("an offer");
        resident.receive(&offer.link(), offer.tx_code()).await.expect("copies");
        let key = world.schools_key().expect("a key");
        let schools = Operator::new(world.client().expect("a client"), &world.at.verifier_origin(), &key);
        let asked = schools.ask(REMINDER, "BENCH").await.expect("asked");
        let mut browser = Browser::new(world.client().expect("a client"));
        let link = wallet_link(&browser.open(&asked.url).await.expect("a page")).expect("a link");
        let back = resident.share(&link).await.expect("shared");
        browser.open(&back).await.expect("decided");
        let id = PermissionId(schools.permission(&asked.id).await.expect("a permission"));
        Self { world, id, _folder: folder }
    }

    async fn checked(&self) -> Checked {
        let tenant = Tenant::new(SCHOOLS, Env::Test);
        let asking = Asking { policy: None, uses: false };
        let found = check(&self.world.verifier, &tenant, &self.id, &asking, None).await.expect("checked");
        assert_eq!(found.standing, Standing::InForce);
        found
    }
}

fn on_a_file(runtime: &Runtime) -> Report {
    let agreed = runtime.block_on(Agreed::on(&Databases::Files));
    let file = agreed.world.district.dir().join("verifier/verifier.sqlite");
    let database = runtime.block_on(Sqlite::open(&file, &sqlite::MIGRATOR, Schema::Expect)).expect("opens");
    let read = async || {
        let query = sqlx::query_scalar::<_, String>(READ).bind(SCHOOLS).bind(&agreed.id.0);
        query.fetch_one(database.reader()).await.expect("is there")
    };
    let report = against(
        "permission/check/sqlite",
        || runtime.block_on(agreed.checked()),
        || runtime.block_on(read()),
    );
    runtime.block_on(agreed.world.stop());
    report
}

fn on_a_server(runtime: &Runtime) -> Report {
    let cluster = Cluster::private().expect("a server");
    let prefix = cluster.database();
    for program in ["issuer", "verifier"] {
        cluster.create(&Databases::name(&prefix, program));
    }
    let databases = Databases::Server { socket: cluster.socket().to_owned(), prefix: prefix.clone() };
    let agreed = runtime.block_on(Agreed::on(&databases));
    let place = Server {
        host: cluster.socket().to_str().expect("a path").to_owned(),
        port: cluster.port(),
        name: Databases::name(&prefix, "verifier"),
        user: USER.to_owned(),
        password: None,
        root_certificate: None,
    };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(opening()));
    let opened = Postgres::open(&place, &postgres::MIGRATOR, Schema::Expect, &clock);
    let database = runtime.block_on(opened).expect("opens");
    let read = async || {
        let query = sqlx::query_scalar::<_, String>(READ).bind(SCHOOLS).bind(&agreed.id.0);
        query.fetch_one(database.reader()).await.expect("is there")
    };
    let report = against(
        "permission/check/postgres",
        || runtime.block_on(agreed.checked()),
        || runtime.block_on(read()),
    );
    runtime.block_on(agreed.world.stop());
    report
}
