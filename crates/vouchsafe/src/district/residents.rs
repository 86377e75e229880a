//! The residents of Larkfield District: synthetic, and the same on every machine.

/// How many residents the register holds.
pub const RESIDENTS: u32 = 300;

/// The number of the resident who qualifies and opens the story.
pub const MET: u32 = 42;
/// Too young for the pass.
pub const TOO_YOUNG: u32 = 7;
/// Old enough, and living in the next district.
pub const NEIGHBOUR: u32 = 150;
/// Old enough, and declines.
pub const DECLINES: u32 = 108;
/// Old enough, and never answers.
pub const SILENT: u32 = 115;
/// Old enough, with facts that went stale before the question.
pub const STALE: u32 = 201;

/// Cleared by the volunteer bureau, and suspended in the course of the story.
pub const VOLUNTEER: u32 = 64;
/// How many the volunteer bureau has cleared.
const VOLUNTEERS: u32 = 40;

/// Wards of Larkfield are the county's codes 100 to 119; the next district begins at 120.
const FIRST_WARD: u32 = 100;
const WARDS: u32 = 20;
const NEIGHBOUR_WARD: u32 = 127;

/// The register's key of resident `number`.
#[must_use]
pub fn person(number: u32) -> String {
    format!("LD-{number:04}")
}

/// The column that names a person in the register.
pub const KEY_COLUMN: &str = "person";

/// Today's register as CSV, with the header that `residency.toml` names: everybody but [`STALE`].
#[must_use]
pub fn register() -> String {
    csv((1..=RESIDENTS).filter(|number| *number != STALE))
}

/// The register of an earlier quarter, of which only [`STALE`] is still looked up.
#[must_use]
pub fn earlier_register() -> String {
    csv([STALE].into_iter())
}

/// The volunteer bureau's register as CSV, with the header that `clearance.toml` names.
#[must_use]
pub fn volunteers() -> String {
    let levels = ["enhanced", "standard", "basic"];
    let row = |at: u32| {
        let (number, level) = (VOLUNTEER + at, levels[(at % 3) as usize]);
        format!("{},{level},{}-{:02}-15\n", person(number), 2025 - at % 4, 1 + at % 12)
    };
    (0..VOLUNTEERS).fold(String::from("person,level,issued_on\n"), |csv, at| csv + &row(at))
}

fn csv(numbers: impl Iterator<Item = u32>) -> String {
    let header = String::from("person,name,address,date_of_birth,ward\n");
    numbers.fold(header, |csv, number| csv + &row(number))
}

fn row(number: u32) -> String {
    let ward = if number == NEIGHBOUR { NEIGHBOUR_WARD } else { FIRST_WARD + number % WARDS };
    let (year, month, day) = born(number);
    format!(
        "{},Resident {number:04},\"{number} Canary Street, Larkfield\",{year}-{month:02}-{day:02},W{ward}\n",
        person(number)
    )
}

/// Spread over 1930 to 2009, except for the residents of the story.
fn born(number: u32) -> (u32, u32, u32) {
    match number {
        MET => (1958, 3, 14),
        TOO_YOUNG => (1984, 2, 29),
        NEIGHBOUR => (1951, 8, 2),
        DECLINES => (1949, 12, 1),
        SILENT => (1955, 5, 5),
        STALE => (1950, 10, 30),
        _ => (1930 + number * 37 % 80, 1 + number * 5 % 12, 1 + number * 11 % 28),
    }
}
