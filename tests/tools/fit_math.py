#!/usr/bin/env python3
"""Fits the coefficients of cl/lib/math.h and prints them with the error of the float32 evaluation.

Minimax fits by Lawson's iteration (weighted least squares on a Chebyshev grid, the weights multiplied by the error each
round); rational fits linearise f - P/Q as (P - f Q) / Q_previous. Everything is in double precision, then rounded to float.
Needs numpy only:   python3 tests/tools/fit_math.py
"""
import math

import numpy as np

F = np.float32


def grid(low, high, count=4000):
    return (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * (np.arange(count) + 0.5) / count)


def lawson(x, target, weight, degree, rounds=300):
    """The polynomial P, lowest power first, that minimises max |weight * (target - P)|, and that maximum."""
    lawson_weight = np.ones_like(x)
    best = (math.inf, None)
    for _ in range(rounds):
        w = weight * np.sqrt(lawson_weight)
        matrix = np.stack([x**i for i in range(degree + 1)], 1) * w[:, None]
        scale = np.linalg.norm(matrix, axis=0)
        p = np.linalg.lstsq(matrix / scale, target * w, rcond=None)[0] / scale
        error = np.abs(weight * (target - np.polyval(p[::-1], x)))
        if error.max() < best[0]:
            best = (error.max(), p)
        lawson_weight *= error + 1e-30
        lawson_weight /= lawson_weight.mean()
    return best


def horner(coefficients, x):
    result = np.full_like(x, F(coefficients[-1]))
    for c in coefficients[-2::-1]:
        result = result * x + F(c)
    return result


def show(name, coefficients, error):
    print(f"{name}: fit error {error:.2e}")
    for i, c in enumerate(coefficients):
        print(f"    [{i}] {float(F(c))!r:>26}  {float(F(c)).hex()}")


def ulps(got, want):
    return np.abs(got.astype(np.float64) - want) / np.spacing(np.abs(want).astype(F)).astype(np.float64)


def fit_exp():
    # exp(r) = 1 + r + r^2 Q(r), |r| <= ln(2)/2; weight r^2 exp(-r) makes the error relative
    r = grid(-0.3467, 0.3467)
    target = np.where(np.abs(r) < 1e-3, 0.5 + r / 6 + r**2 / 24, (np.expm1(r) - r) / np.where(r == 0, 1, r * r))
    error, p = lawson(r, target, r * r * np.exp(-r), 4)
    show("exp, Q", p, error)
    x = np.linspace(-87, 88, 2000003).astype(F)
    n = np.rint(x * F(1.44269504)).astype(F)
    s = (x - n * F(0.693359375)) - n * F(-2.12194440e-4)
    y = s * s * horner(p, s) + s + F(1)
    print(f"    float32: {ulps(np.ldexp(y, n.astype(int)), np.exp(x.astype(np.float64))).max():.2f} ulp")


def fit_exp2():
    # exp2(r) = 1 + r Q(r), |r| <= 1/2; weight r 2^-r makes the error relative
    r = grid(-0.5, 0.5)
    error, p = lawson(r, np.expm1(r * math.log(2)) / r, r * np.exp2(-r), 5)
    show("exp2, Q", p, error)
    x = np.linspace(-126, 127, 2000003).astype(F)
    n = np.rint(x).astype(F)
    y = (x - n) * horner(p, x - n) + F(1)
    print(f"    float32: {ulps(np.ldexp(y, n.astype(int)), np.exp2(x.astype(np.float64))).max():.2f} ulp")


def fit_normal_cdf():
    # Phi(-a) = exp(-a Q(a)) / 2 for a >= 0: the exponent is exact near 0 and small where Phi is large, so the absolute error
    # is half an ulp of 1. The fit stops at a = 6 (1e-9); beyond it a Q(a) must go on growing.
    a = np.sort(np.concatenate([grid(1e-3, 6, 2000), grid(1e-3, 1, 1000)]))
    target = np.array([-math.log(math.erfc(v / math.sqrt(2))) for v in a]) / a
    error, q = lawson(a, target, a * np.maximum(np.exp(-a * target), 0.003), 9, rounds=200)
    show("normal_cdf, Q", q, error)
    far = np.linspace(6, 40, 4000)
    assert np.all(np.diff(far * np.polyval(q[::-1], far)) > 0)
    x = np.linspace(-6, 6, 400001).astype(F)
    magnitude = np.abs(x)
    half = F(0.5) * np.exp((-magnitude * horner(q, magnitude)).astype(np.float64)).astype(F)
    want = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x.astype(np.float64)])
    print(f"    float32: {np.abs(np.where(x < 0, half, F(1) - half) - want).max():.2e} absolute")


def fit_tanh():
    # |x| < 0.625: tanh(x) = x + x^3 P(x^2); beyond it (1 - e) / (1 + e), e = exp(-2 |x|)
    x = grid(1e-2, 0.625)
    error, p = lawson(x * x, (np.tanh(x) - x) / x**3, x * x, 4)
    show("tanh, P", p, error)
    x = np.concatenate([np.linspace(-10, 10, 400001), np.logspace(-6, 0, 20001)]).astype(F)
    e = np.exp(-2 * np.abs(x).astype(np.float64)).astype(F)
    u = x * x
    got = np.where(np.abs(x) < F(0.625), x + x * (u * horner(p, u)), np.copysign((F(1) - e) / (F(1) + e), x))
    want = np.tanh(x.astype(np.float64))
    ok = want != 0
    print(f"    float32: {ulps(got[ok], want[ok]).max():.2f} ulp")


def fit_log():
    # log(1 + f) = f - f^2/2 + f^3 P(f), 1 + f in [sqrt(1/2), sqrt(2))
    f = grid(math.sqrt(0.5) - 1, math.sqrt(2) - 1)
    small = np.abs(f) < 0.01
    series = 1 / 3 - f / 4 + f**2 / 5 - f**3 / 6 + f**4 / 7 - f**5 / 8
    exact = (np.log1p(f) - f + f * f / 2) / np.where(small, 1, f) ** 3
    error, p = lawson(f, np.where(small, series, exact), f * f, 7)
    show("log, P", p, error)
    x = np.exp(np.linspace(-86, 88, 1000003)).astype(F)
    x = np.concatenate([x, np.linspace(0.5, 2, 1000003).astype(F)])
    bits = x.view(np.int32) - 0x3F3504F3
    e = (bits >> 23).astype(F)
    g = ((bits & 0x007FFFFF) + 0x3F3504F3).astype(np.int32).view(F) - F(1)
    y = g * g * g * horner(p, g) + e * F(-2.12194440e-4)
    y = e * F(0.693359375) + (g + (y - F(0.5) * g * g))
    want = np.log(x.astype(np.float64))
    ok = want != 0
    print(f"    float32: {np.abs(y - want).max():.2e} absolute, {ulps(y[ok], want[ok]).max():.2f} ulp")


if __name__ == "__main__":
    fit_exp()
    fit_exp2()
    fit_normal_cdf()
    fit_tanh()
    fit_log()
