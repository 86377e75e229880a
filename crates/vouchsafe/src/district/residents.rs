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

/// Lives in one of the wards around the park-and-ride.
pub const BESIDE_PARKING: u32 = 22;
/// Lives in the district, in none of those wards.
pub const FAR_FROM_PARKING: u32 = 27;

/// Paid something by both payers, together less than the bound for school meals.
pub const PAID_LESS: u32 = 73;
/// Paid more by the two payers than that.
pub const PAID_MORE: u32 = 31;
/// The other adult of the household of [`MET`]; what the two are paid is below the bound for a household.
pub const PARTNER: u32 = 41;

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

/// The council's register of households as CSV, with the header that `household.toml` names.
///
/// Of every five residents in a row two live together, one alone, and two together; of every seventh five, three and two.
#[must_use]
pub fn households() -> String {
    let row = |number: u32| {
        let (five, place) = ((number - 1) / 5, ((number - 1) % 5) as usize);
        let of_three = five.is_multiple_of(7);
        let home = if of_three { [1, 1, 1, 2, 2][place] } else { [1, 1, 2, 3, 3][place] };
        let adults = if of_three { [3, 3, 3, 2, 2][place] } else { [2, 2, 1, 2, 2][place] };
        format!("{},H{:04},{adults}\n", person(number), five * 3 + home)
    };
    (1..=RESIDENTS).fold(String::from("person,household,adults\n"), |csv, number| csv + &row(number))
}

/// What payer `payer` (0 or 1) states of everybody for `month`, as CSV with the header that `income.toml` names.
#[must_use]
pub fn incomes(payer: usize, month: &str) -> String {
    let row = |number: u32| {
        let (person, pence) = (person(number), paid(payer, number));
        let source = format!("P{}-{person}-{month}", payer + 1);
        format!("{person},{month},{source},{}.{:02}\n", pence / 100, pence % 100)
    };
    (1..=RESIDENTS).fold(String::from("person,period,source,total\n"), |csv, number| csv + &row(number))
}

/// In pence: everybody has something of the first payer, and two of three people of the second.
fn paid(payer: usize, number: u32) -> u32 {
    match payer {
        0 => number * 7_919 % 260_000,
        _ if number.is_multiple_of(3) => 0,
        _ => number * 104_729 % 120_000,
    }
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    /// Pence a month, as the policies `meals` and `household` have them.
    const ONE_PERSON: u32 = 150_000;
    const TWO_PEOPLE: u32 = 260_000;

    fn both(number: u32) -> u32 {
        paid(0, number) + paid(1, number)
    }

    fn cells(csv: &str, number: u32) -> Vec<String> {
        let line = csv.lines().find(|line| line.starts_with(&person(number))).unwrap();
        line.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn the_people_of_the_story_are_what_it_says() {
        assert!(both(PAID_LESS) <= ONE_PERSON && paid(0, PAID_LESS).min(paid(1, PAID_LESS)) > 0);
        assert!(both(PAID_MORE) > ONE_PERSON);
        assert!(both(MET) + both(PARTNER) <= TWO_PEOPLE);
        let homes = households();
        assert_eq!(cells(&homes, MET)[1..], cells(&homes, PARTNER)[1..]);
        assert_eq!(cells(&homes, MET)[2], "2");
        assert!(row(BESIDE_PARKING).ends_with(",W102\n") && row(FAR_FROM_PARKING).ends_with(",W107\n"));
    }

    #[test]
    fn a_household_has_as_many_people_as_it_says() {
        let homes = households();
        for line in homes.lines().skip(1) {
            let (home, adults) = line[8..].split_once(',').unwrap();
            let people = homes.lines().filter(|other| other.contains(&format!(",{home},"))).count();
            assert_eq!(people.to_string(), adults, "{home}");
        }
    }

    #[test]
    fn every_statement_has_a_source_of_its_own_and_both_outcomes_occur() {
        let (one, two) = (incomes(0, "2026-10"), incomes(1, "2026-10"));
        let sources = one.lines().chain(two.lines()).filter_map(|line| line.split(',').nth(2));
        let distinct: std::collections::BTreeSet<_> = sources.filter(|source| *source != "source").collect();
        assert_eq!(distinct.len(), 600);
        assert_eq!(cells(&one, MET)[1..], ["2026-10", "P1-LD-0042-2026-10", "725.98"]);
        let met = (1..=RESIDENTS).filter(|number| both(*number) <= ONE_PERSON).count();
        assert!((100..200).contains(&met), "{met}");
    }
}
