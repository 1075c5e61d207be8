//! What many cases say about more cases, and about the difference between two systems: confidence intervals and tests.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Resamples of a confidence interval.
const RESAMPLES: usize = 10_000;

/// The 95 % confidence interval of the mean by the percentile bootstrap: cases are drawn with replacement 10 000 times, and the interval is
/// from the 2.5th to the 97.5th percentile of the means. One seed gives one interval on every machine. None for fewer than two values.
pub fn confidence_interval(values: &[f64], seed: u64) -> Option<[f64; 2]> {
    if values.len() < 2 {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let n = values.len() as u64;
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| values.iter().map(|_| values[random.random_range(0..n) as usize]).sum::<f64>() / n as f64)
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    Some([0.025, 0.975].map(|part| {
        let place = part * (RESAMPLES - 1) as f64;
        let (low, high) = (means[place as usize], means[(place as usize + 1).min(RESAMPLES - 1)]);
        low + place.fract() * (high - low)
    }))
}

/// A paired two-sided Wilcoxon signed-rank test.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct SignedRank {
    /// How many pairs differ.
    pub pairs: usize,
    /// The sum of the ranks of the positive differences, or of the negative ones if that is smaller.
    pub statistic: f64,
    /// How likely a statistic so small is if the sign of each difference is a matter of chance.
    pub p: f64,
}

/// Tests whether paired differences have a median of 0. None where no pair differs.
///
/// Differences of 0 are left out (Wilcoxon's way), equal ones get the mean of their ranks. Up to 50 pairs without zeros and ties, and up to 13
/// with them, the p-value is exact, by counting all ways in which the signs can fall; else it is that of the normal
/// approximation with corrections for ties and continuity. SciPy 1.13 and later have the same rule (`wilcoxon(d, correction=True)`).
pub fn signed_rank(differences: &[f64]) -> Option<SignedRank> {
    let mut differing: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    if differing.is_empty() {
        return None;
    }
    differing.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let n = differing.len();
    // Twice the ranks, which are whole numbers with ties too.
    let mut ranks = Vec::with_capacity(n);
    let mut ties = 0.0;
    for group in differing.chunk_by(|a, b| a.abs() == b.abs()) {
        let (first, size) = (ranks.len(), group.len());
        ranks.resize(first + size, 2 * first + size + 1);
        ties += (size as f64).powi(3) - size as f64;
    }
    let all: usize = ranks.iter().sum();
    let plus: usize = ranks.iter().zip(&differing).filter(|(_, d)| **d > 0.0).map(|(rank, _)| rank).sum();
    let smaller = plus.min(all - plus);
    let plain = ties == 0.0 && n == differences.len();
    let p = if plain && n <= 50 || differences.len() <= 13 {
        (2.0 * part_up_to(&ranks, smaller)).min(1.0)
    } else {
        let n = n as f64;
        let spread = ((n * (n + 1.0) * (2.0 * n + 1.0) - 0.5 * ties) / 24.0).sqrt();
        let distance = (all as f64 / 4.0 - smaller as f64 / 2.0 - 0.5).max(0.0) / spread;
        let middle = all == 2 * smaller;
        if middle {
            1.0
        } else {
            two_sided(distance)
        }
    };
    Some(SignedRank { pairs: n, statistic: smaller as f64 / 2.0, p })
}

/// The part of all choices of ranks whose sum is at most `limit`.
fn part_up_to(ranks: &[usize], limit: usize) -> f64 {
    let mut ways = vec![0.0_f64; limit + 1];
    ways[0] = 1.0;
    for rank in ranks {
        for sum in (*rank..=limit).rev() {
            ways[sum] += ways[sum - rank];
        }
        // Each choice halves what one way weighs.
        ways.iter_mut().for_each(|ways| *ways *= 0.5);
    }
    ways.iter().sum()
}

/// The probability that a standard normal number is further than `z` from 0: erfc(z / √2).
///
/// By the series of the error function for small numbers and the continued fraction for large ones (Abramowitz and Stegun, 7.1.6 and
/// 7.1.14), each to the last digits.
fn two_sided(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    if x < 2.5 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term > 1e-18 * sum {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        return 1.0 - std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum;
    }
    let fraction = (1..=120).rev().fold(x, |below, n| x + 0.5 * n as f64 / below);
    (-x * x).exp() / (fraction * std::f64::consts::PI.sqrt())
}

/// Holm's correction of several p-values: the smallest times their number, the next times one less, and so on; none smaller than the one
/// before, none above 1. In the order in which they were given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut corrected = vec![0.0; p.len()];
    let mut least = 0.0_f64;
    for (place, number) in order.into_iter().enumerate() {
        least = least.max((p[number] * (p.len() - place) as f64).min(1.0));
        corrected[number] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values by SciPy 1.17.1, `scipy.stats.wilcoxon(d, correction=True)`.
    #[test]
    fn signed_ranks_are_those_of_scipy() {
        let every = |n: i32, third: i32, f: &dyn Fn(i32) -> i32, of: f64| -> Vec<f64> {
            (0..n).map(|i| f64::from(if i % third == 0 { -f(i) } else { f(i) }) / of).collect()
        };
        let rising = |i: i32| i + 1;
        let mut pairs: Vec<f64> =
            (0..16).map(|i| f64::from(if i / 2 % 2 == 0 { i + 1 } else { -i - 1 }) / 100.0).collect();
        pairs.push(0.0);
        for (differences, statistic, p) in [
            (vec![0.013, -0.021, 0.034, 0.055, -0.008, 0.089, 0.144, 0.0233], 4.0, 0.0546875),
            (vec![0.01, -0.01, 0.02, 0.03, 0.03, -0.02, 0.05], 5.0, 0.15625),
            (vec![0.0, 0.01, -0.02, 0.03, 0.04, 0.05], 2.0, 0.1875),
            (every(30, 4, &|i| (i * 7) % 20 + 1, 100.0), 114.0, 0.015194653365273038),
            (every(60, 3, &rising, 100.0), 590.0, 0.016901653275967533),
            ((1..=200).map(|i| f64::from(i) / 1000.0).collect(), 0.0, 1.4470017348102398e-34),
            (every(50, 3, &rising, 100.0), 425.0, 0.03996834652842374),
            (pairs, 60.0, 0.6981523762187507),
        ] {
            let found = signed_rank(&differences).unwrap();
            assert_eq!(found.statistic, statistic, "{differences:?}");
            assert!((found.p / p - 1.0).abs() < 1e-10, "{differences:?}: {} {p}", found.p);
        }
        assert_eq!(signed_rank(&[0.0, 0.0]), None);
        assert_eq!(signed_rank(&[1.0]).unwrap().p, 1.0);
    }

    /// By SciPy 1.17.1, `scipy.special.erfc(z / sqrt(2))`.
    #[test]
    fn the_normal_distribution_has_all_its_digits() {
        for (z, p) in [
            (0.0, 1.0),
            (0.5, 0.6170750774519739),
            (1.96, 0.04999579029644087),
            (3.5, 0.00046525815807105003),
            (3.6, 0.0003182171803150679),
            (8.0, 1.2441921148543658e-15),
        ] {
            assert!((two_sided(z) / p - 1.0).abs() < 1e-10, "{z}: {}", two_sided(z));
        }
    }

    /// By statsmodels 0.14, `multipletests(p, method="holm")`.
    #[test]
    fn holm_keeps_the_order() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005, 0.6]);
        for (found, expected) in corrected.iter().zip([0.04, 0.09, 0.09, 0.025, 0.6]) {
            assert!((found - expected).abs() < 1e-15, "{corrected:?}");
        }
        assert!(holm(&[]).is_empty());
    }

    /// Of normal values the bootstrap's interval is nearly mean ± 1.96 standard errors.
    #[test]
    fn an_interval_is_around_the_mean_and_the_same_each_time() {
        // Places of the normal distribution, so that the sample is one whose interval is known.
        let values: Vec<f64> = (0..400)
            .map(|i| {
                let (mut low, mut high) = (-6.0, 6.0);
                let wanted = (f64::from(i) + 0.5) / 400.0;
                for _ in 0..60 {
                    let z: f64 = 0.5 * (low + high);
                    let below = if z < 0.0 { 0.5 * two_sided(-z) } else { 1.0 - 0.5 * two_sided(z) };
                    if below < wanted {
                        low = z
                    } else {
                        high = z
                    }
                }
                80.0 + 10.0 * low
            })
            .collect();
        let [low, high] = confidence_interval(&values, 1).unwrap();
        assert!((low - 79.02).abs() < 0.05 && (high - 80.98).abs() < 0.05, "{low} {high}");
        assert_eq!(confidence_interval(&values, 1), Some([low, high]));
        assert_ne!(confidence_interval(&values, 2), Some([low, high]));
        assert_eq!(confidence_interval(&[3.0; 5], 1), Some([3.0, 3.0]));
        assert_eq!(confidence_interval(&[3.0], 1), None);
    }
}
