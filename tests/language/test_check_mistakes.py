"""Semantic mistakes: each gives exactly its error, at its place, with words that mend it."""

from __future__ import annotations

import pytest

from hybridode.errors import Diagnostic, ModelError, Source
from hybridode.language.check import declare

BASE = "param k = 1\nstate x = 1\nx' = -k*x\n"  # most rows add a line or two to this

# (what is added to BASE — or the whole text after `model m` when it contains `state` — , code, text under the carets, words)
ROWS: list[tuple[str, str, str, str]] = [
    # ---- names
    ("y = kk*x", "E0203", "kk", "did you mean `k` (parameter, line 2)"),
    ("param rate = 1\ny = raet*x*rate", "E0203", "raet", "did you mean `rate`"),
    ("y = K*x", "E0203", "K", "did you mean `k`"),
    ("y = pii*x", "E0203", "pii", "did you mean `pi`"),
    ("y = quux*x", "E0203", "quux", "declare it (`param quux"),
    ("param predator = 2\ny = predater*predator", "E0203", "predater", "did you mean `predator` (parameter, line 5)"),
    ("y = data.u*x", "E0203", "data.u", "input u from data.u"),
    ("param k = 2", "E0202", "k", "declared twice"),
    ("y = 1\ny = 2", "E0202", "y", "defined twice"),
    ("[a, b] = [1, 2]\na = 3", "E0202", "a", "defined twice"),
    ("param t = 2", "E0201", "t", "the time"),
    ("const pi = 3", "E0201", "pi", "predeclared number"),
    ("param dt = 3", "E0201", "dt", "reserved for derivatives"),
    ("inf = 3", "E0201", "inf", "predeclared number"),
    ("y = sine(x)", "E0204", "sine", "did you mean `sin`"),
    ("y = foo(x)", "E0204", "foo", "func foo(x)"),
    ("y = pow(x, 2)", "E0204", "pow", "write `a^b`"),
    ("y = arctan(x)", "E0204", "arctan", "write `atan(x)`"),
    ("y = normal(x, 1)", "E0204", "normal", "after `~`"),
    ("func f(a) = 2*a\ny = fun(x) + f(x)", "E0204", "fun", "define it"),
    ("func decay(a) = 2*a\ny = dacay(x) + decay(x)", "E0204", "dacay", "did you mean `decay`"),
    ("y = k(x + 1)", "E0205", "k", "`k` is a parameter, not a function"),
    ("param gamma = 2\ny = gamma(x + 1)", "E0205", "gamma", "it hides the function `gamma(x)`"),
    ("const nn1 = 2\nparam q[nn] = 1\ny = sum(q)*nn1", "E0203", "nn", "did you mean `nn1`"),
    ("y = t(x + 1)", "E0205", "t", "not a function"),
    ("func f(a) = 2*a\ny = f*x", "E0205", "f", "write `f(…)`"),
    ("func f(a) = a(2)\ny = f(x)", "E0205", "a", "is an argument, not a function"),
    ("state dose = 1\ndose/dt = -dose", "E0207", "dose/dt", "`dose'` or `ddose/dt`"),
    ("time tau\nstate x = 1\ndx/dtau = -x\ny = t*x", "E0203", "t", "this model's time is `tau`"),
    ("input I from data.I, inetrp=linear\ny = I", "E0208", "inetrp=linear", "`interp=…`"),
    ("input I from data.I, interp=liner\ny = I", "E0208", "interp=liner", "did you mean `linear`"),
    ("input I from signal\ny = I", "E0208", "signal", "from data.I"),
    ("input I[2] from [data.a, b]\ny = sum(I)", "E0208", "b", "write `data.b`"),
    ("table f(x) = [[0, 1], [1, 3]], interp=hermite\ny = f(x)", "E0208", "interp=hermite", "write `linear`"),
    # ---- structure
    ("state x = 1\nstate y = 2\nx' = -x", "E0301", "y", "no dynamics"),
    ("x' = x", "E0302", "x'", "twice"),
    ("x'' = x", "E0302", "x'", "makes `x'` by itself"),
    ("x = 3", "E0303", "x", "`x' = …` for its dynamics or `x(0) = …`"),
    ("k = 3", "E0304", "k", "is a parameter"),
    ("const c = 2\nc = 3", "E0304", "c", "is a constant"),
    ("f(a) = 2*a", "E0303", "f(a)", "func f(a) = …"),
    ("state x[2] = 0\nx' = -x\nx[1] = 3", "E0303", "x[1]", "`x[1]' = …` for its dynamics"),
    ("func f(a) = a\nf(0) = 2*f(1)", "E0304", "f(0)", "is a function"),
    ("a = b\nb = c + 1\nc = a", "E0305", "a", "`a` reads `b` reads `c` reads `a`"),
    ("a = 2*a", "E0305", "a", "defined by itself"),
    ("state x\nstate y\nx(0) = 2*y\ny(0) = x\nx' = y\ny' = x", "E0306", "x", "`x(0)` needs `y(0)` needs `x(0)`"),
    ("state x\nx(0) = x + 1\nx' = 1", "E0306", "x", "`x(0)` needs itself"),
    ("state x\na = 2*x\nx(0) = a\nx' = -a", "E0306", "x", "`x(0)` needs `a` needs `x(0)`"),
    ("x(0) = 3", "E0307", "x(0)", "given twice"),
    ("state x\nx' = 1\nx(0) = 1\nx(0) = 2", "E0307", "x(0)", "twice"),
    ("state x\nx' = 1\nx(0) = 1\nprior x(0) ~ normal(0, 1)", "E0307", "x(0)", "this equation computes it"),
    ("state x\nx(5) = 1\nx' = 1", "E0308", "x(5)", "`x(0) = …`: 0 means the start"),
    ("y = x(5)", "E0308", "x(5)", "`x(0)` is its value at the start"),
    ("y = x(k + 1)", "E0308", "x(k + 1)", "to multiply write `x*(…)`"),
    ("prior x(1) ~ normal(1, 1)", "E0308", "1", "`x(0)`"),
    ("param q", "E0309", "q", "write `param q = …`"),
    ("param q in (0, inf)", "E0309", "q", "its bounds have no middle"),
    ("param q in (0, 10) log", "E0309", "q", "no middle"),
    ("param q = 20 in (0, 10)", "E0310", "20", "20 is outside the bounds of `q`"),
    ("param q = 10 in (0, 10)", "E0310", "10", "on the bounds"),
    ("state x = 1 in (2, 3)\nx' = 0", "E0310", "1", "outside the bounds of `x(0)`"),
    ("param q = -1 log", "E0310", "-1", "must be positive"),
    ("param q = 1 in (10, 0)", "E0311", "in (10, 0)", "write `in (0, 10)`"),
    ("param q = 1 in (-1, 10) log", "E0311", "in (-1, 10)", "needs bounds from 0 up"),
    ("param q = 1 in (0, inf) logit", "E0311", "in (0, inf)", "two finite bounds"),
    ("param q = 0.5 logit", "E0311", "logit", "in (0, 1) logit"),
    ("param q = 2*k", "E0318", "k", "use numbers and `const`s"),
    ("table f(u) = [[0, 1], [1, 2]]\nconst c = f(1)", "E0318", "f", "is a table"),
    ("const c = 0/0", "E0312", "0/0", "is not a number"),
    ("const c = x", "E0318", "x", "is a state and cannot be read in the value of `c`"),
    ("param v[3] = [1, 2]", "E0313", "[1, 2]", "a vector of 3"),
    ("param v[3] = 1\nparam w[2] = 2\ny = v + w", "E0313", "w", "a vector of 3 and a vector of 2"),
    ("param v[3] = 1\nz = x\nstate x = 1\nx' = v", "E0313", "v", "`x'` is one number, its right side has 3 entries"),
    ("param v[3] = 1\nparam w[2] = 2\ny = v @ w", "E0313", "w", "the inner sizes must be equal"),
    ("param v[3] = 1\ny = v @ 2", "E0313", "2", "use `*` with a number"),
    ("y = [1, [2, 3]]", "E0313", "[2, 3]", "the entries of a list are alike"),
    ("param v[0] = 1", "E0313", "0", "at least 1"),
    ("param v[3] = 1\ny = v[0]", "E0314", "0", "the first entry is `v[1]`"),
    ("param v[3] = 1\ny = v[4]", "E0314", "4", "`v` has 3 entries, not 4"),
    ("param v[3] = 1\ny = v[1.5]", "E0314", "1.5", "whole number"),
    ("param v[3] = 1\ny = v[x]", "E0314", "x", "known before the run"),
    ("param v[3] = 1\ny = v[3..2]", "E0314", "3..2", "empty"),
    ("param v[3] = 1\ny = v[1, 2]", "E0314", "v[1, 2]", "takes 1 index"),
    ("y = x[1]", "E0314", "x[1]", "one number and has no entries"),
    ("param v[1.5] = 1", "E0314", "1.5", "whole number"),
    ("y = (x > 1)*3", "E0315", "x > 1", "heaviside"),
    ("y = if x then 1 else 2", "E0315", "x", "compare it"),
    ("y = if x > 1 then 1 else x < 2", "E0315", "x < 2", "both branches"),
    ("y = x > 1 and k", "E0315", "k", "compare it"),
    ("state x = 1\nx' = x > 2", "E0315", "x > 2", "a condition stands where a number"),
    ("y = sin(x, 2)", "E0316", "sin(x, 2)", "write `sin(x)`"),
    ("y = hill(x, 2)", "E0316", "hill(x, 2)", "write `hill(x, K, n)`"),
    ("func f(a, b) = a*b\ny = f(x)", "E0316", "f(x)", "write `f(a, b)`"),
    ("y = piecewise(x < 1, 2)", "E0316", "piecewise(x < 1, 2)", "no condition holds"),
    ("y = sin(x, k=2)", "E0316", "k=2", "no option `k`"),
    ("table f(u) = [[0, 1], [1, 3]]\ny = f(x, 2)", "E0316", "f(x, 2)", "takes 1 argument"),
    ("func f(a) = g(a)\nfunc g(a) = f(a)", "E0317", "f", "`f` calls `g` calls `f`"),
    ("func f(a) = f(a - 1)", "E0317", "f", "calls itself"),
    ("func f(a) = a*x", "E0318", "x", "pass it as an argument: `func f(a, x)"),
    ("func f(a) = a*t", "E0318", "t", "is the time"),
    ("func f(a, a) = a", "E0202", "a", "stands twice"),
    ("state x = x' \nx' = 1", "E0318", "x'", "is a derivative and cannot be read in the start"),
    ("y = z'", "E0203", "z'", "`z` is not declared"),
    ("z = 2*x\ny = z'", "E0323", "z'", "make `z` a state"),
    ("x'(0) = 2", "E0323", "x'(0)", "only `x(0)` can be given"),
    ("prior x'(0) ~ normal(1, 1)", "E0322", "x'", "write `prior x(0) ~ …`"),
    ("k' = 2", "E0323", "k'", "only a state has dynamics"),
    ("y = x''", "E0323", "x''", "highest derivative"),
    ("input I from data.I, interp=previous\ny = dI/dt", "E0323", "dI/dt", "interp=linear"),
    ("state x[3] = 0\nx[1]' = 1\nx[3]' = 2", "E0321", "x", "`x[2]` of `x` has no dynamics"),
    ("state x[2] = 0\nx[1]' = 1\nx[2]' = 2\nx[1]' = 3", "E0302", "x[1]'", "twice"),
    ("table f(u) = [[1, 1], [0, 3]]\ny = f(x)", "E0324", "[0, 3]", "sort the points"),
    ("table f(u) = [0, 1, 2]\ny = f(x)", "E0324", "0", "`[x, value]`"),
    ("table f(u, v) = [[0, 0, 1], [0, 1, 2], [1, 0, 3]]", "E0324", "[[0, 0, 1], [0, 1, 2], [1, 0, 3]]", "(1, 1) is missing"),
    ("table f(u) = [[0, 1]]\ny = f(x)", "E0324", "[[0, 1]]", "at least two points"),
    ("y = interp(x, [1, 0], [2, 3])", "E0324", "[1, 0]", "must increase"),
    ("at 0 every 0 { x := 1 }", "E0325", "0", "must be positive"),
    ("at 5 every 1 until 2 { x := 1 }", "E0325", "2", "before its first time"),
    ("at x { x := 1 }", "E0318", "x", "is a state and cannot be read in the time of this event"),
    ("at 5 { k := 1 }", "E0320", "k", "only states and discretes change in an event"),
    ("at 5 { x := 1; x := 2 }", "E0320", "x", "assigned twice"),
    ("event e when x > 1 { x := 1; x := 2 }", "E0320", "x", "assigned twice"),
    ("event e when x > 1 { k := 1 }", "E0320", "k", "`discrete k`"),
    ("event e when x > 1 rising { x := 1 }", "E0341", "x > 1", "cannot be `rising`"),
    ("event e when x == 1 { x := 0 }", "E0341", "x == 1", "write the difference alone"),
    ("event e when x > 1 { x := 0 }\nevent e when x > 2 { x := 0 }", "E0202", "e", "declared twice"),
    ("event x when x > 1 { x := 0 }", "E0202", "x", "declared twice"),
    ("event e when x > 1 { x := 0 }\ny = e", "E0318", "e", "is an event and cannot be read"),
    ("discrete n = 0\nn' = 1", "E0302", "n'", "only events change it"),
    ("at 5 { x' := 1 }", "E0320", "x'", "given by its equation"),
    ("at 5 { xx := 1 }", "E0203", "xx", "did you mean `x`"),
    ("[a, b] = [1, 2, 3]", "E0327", "[a, b]", "2 names on the left, and a vector of 3"),
    ("[a, b] = x", "E0327", "[a, b]", "one number on the right"),
    ("param q = 1 in (0, 2) log logit", "E0328", "logit", "exclude each other"),
    ("param q = 1 in (0, 2) in (0, 3)", "E0328", "in (0, 3)", "bounds twice"),
    ("state x = 1 log\nx' = 1", "E0328", "log", "only a start with `in (…)` is learnt"),
    ("const a = b\nconst b = a", "E0329", "a", "`a` needs `b` needs `a`"),
    ("state x = 1\nx' = NN(x) + y\ny = NN_x", "E0203", "NN_x", "declare `nn f: 1 -> 1`"),
    # ---- units
    ("param q [mV] = 1", "E0401", "mV", "`param q: mV = …`"),
    ("param q: mV = 1 [V]", "E0915", "1 [V]", "write the number in `mV`"),
    ("param q: s = 1\ny = x*q/2 [ms]", "E0915", "2 [ms]", "this file uses `s` for time"),
    ("units strict", "E0914", "units strict", "write `units warn`"),
    # ---- networks
    ("nn U: 2 -> 1\ny = U(x)", "E0501", "U(x)", "takes 2 inputs, 1 is given"),
    ("nn U: 2 -> 1\nparam v[3] = 1\ny = U(v)", "E0501", "U(v)", "a vector counts as its entries"),
    ("nn U: 1 -> 3\n[a, b] = U(x)", "E0502", "[a, b]", "2 names"),
    ("nn U: 1 -> 1, hiden=[3]\ny = U(x)", "E0503", "hiden=[3]", "did you mean `hidden`"),
    ("y = NN(x, size=3)", "E0503", "size=3", "the options are"),
    ("nn U: 1 -> 1\ny = U(x, act=relu)", "E0503", "act=relu", "nn U: …"),
    ("nn U: 1 -> 1, act=tanhh\ny = U(x)", "E0504", "tanhh", "did you mean `tanh`"),
    ("y = NN(x, hidden=16)", "E0504", "hidden=16", "hidden=[16, 16]"),
    ("y = NN(x, hidden=[0])", "E0504", "[0]", "whole number"),
    ("y = NN(x, monotone=[up, down])", "E0504", "monotone=[up, down]", "one word per input"),
    ("y = NN(x, reg=l3(1))", "E0504", "l3(1)", "reg=l2(1e-4)"),
    ("y = NN(x, scale=[1, 2])", "E0504", "scale=[1, 2]", "2 numbers for 1 input"),
    ("y = NN(x, seed=1.5)", "E0504", "seed=1.5", "whole number"),
    ("y = NN(x, weights=w)", "E0504", "weights=w", "in quotes"),
    ("y = NN(x, act=tanh, act=relu)", "E0504", "act=relu", "twice"),
    ("nn U: 0 -> 1\ny = 1", "E0504", "0", "1 to 100000"),
    ("nn NN_y: 1 -> 1\ny = NN(x) + NN_y(x)", "E0505", "NN(x)", "would be called `NN_y`"),
    ("func f(a) = NN(a)\ny = f(x)", "E0506", "NN", "name it"),
    ("param q = NN(x)", "E0318", "x", "cannot be read in the value of `q`"),
    ("[a, b] = 2*NN(x)", "E0507", "NN(x)", "2 names on the left"),
    ("param positive = 1\ny = NN(x, positive) + positive", "E0508", "positive", "rename the value"),
    ("y = NN(hidden=[3])", "E0509", "NN(hidden=[3])", "needs an input"),
    ("y = NN(x, symmetry=odd, positive)", "E0510", "positive", "cannot be `positive`"),
    # ---- observations and priors
    ("observe y ~ gaussian(x, 1)", "E0319", "gaussian", "did you mean `normal`"),
    ("observe y ~ normal(x)", "E0319", "normal(x)", "lacks `sd`"),
    ("observe y ~ normal(x, 1, 2)", "E0319", "normal(x, 1, 2)", "takes 2 arguments, 3"),
    ("observe y ~ normal(x, sigma=1)", "E0319", "sigma=1", "write `normal(mean, sd)`"),
    ("observe y ~ normal(x, -1)", "E0319", "-1", "must be positive"),
    ("observe y ~ beta(x, 1)", "E0319", "beta", "cannot be an observation"),
    ("observe y ~ bernoulli(x, logit=x)", "E0319", "bernoulli(x, logit=x)", "takes one of"),
    ("observe y ~ normal(x, 1)\nobserve y ~ normal(x, 2)", "E0202", "y", "observed twice"),
    ("observe y ~ normal(xx, 1)", "E0203", "xx", "did you mean `x`"),
    ("observe y ~ normal(x, 1) censored below 1 censored below 2", "E0328", "censored below 2", "twice"),
    ("prior k ~ poisson(3)", "E0319", "poisson", "cannot be a prior"),
    ("prior x ~ normal(1, 1)", "E0322", "x", "write `prior x(0) ~ …`"),
    ("const c = 1\nprior c ~ normal(1, 1)", "E0322", "c", "the parameters are `k`"),
    ("prior k(0) ~ normal(1, 1)", "E0322", "k", "write `prior k ~ …`"),
    ("prior k ~ normal(x, 1)", "E0318", "x", "use numbers and `const`s"),
    ("prior k ~ uniform(2, 1)", "E0319", "uniform(2, 1)", "wrong way round"),
    ("prior k ~ normal(1, 1)\nprior k ~ normal(2, 1)", "E0202", "k", "two priors"),
    # ---- equations that hold together
    ("alg z = 0", "E0332", "z", "no equation reads it"),
    ("alg z[2] = 0\nz[1] = x", "E0332", "z", "nothing determines `z[2]`: no equation reads it"),
    ("alg a = 0\nalg b = 0\na + b = x", "E0332", "b", "1 equation for 2 unknowns"),
    ("state y = 1\nalg z = 0\n0 = y' + z", "E0332", "z", "one of `z` and `y'`: 1 equation for 2 unknowns"),
    ("state y = 1\na = y'\nalg z = 0\nz = x", "E0332", "y", "nothing determines `y'`: no equation reads it"),
    ("0 = x + k", "E0333", "0 = x + k", "nothing to determine"),
    ("2*k = 3", "E0333", "2*k = 3", ", no unknown and no state stands in it"),
    ("alg z = 0\nz = x\nz = 2*x", "E0333", "z = 2*x", "nothing to determine"),
    ("alg z = 0\n0 = z[i] - x for i in 1..2", "E0314", "z[i]", "is one number"),
    ("alg z[3] = 0\n0 = z[i] - x for i in 1..4", "E0314", "i", "where `i` = 4"),
    ("alg z[2] = 0\n0 = z - x\n0 = z[1] - 2", "E0333", "0 = z[1] - 2", "nothing to determine"),
    ("state v = 1\nv' = 1\nk*v' = -v", "E0333", "k*v' = -v", "nothing to determine"),
    ("alg z = 0\n0 = z - x\ny = x\ny = 2*x", "E0202", "y = 2*x", "`y` is defined twice"),
    ("alg z = 0\n[z, y] = [x, 2]", "E0327", "[z, y]", "`z` is an algebraic unknown and `y` is not"),
    ("alg z = 0\nz = [1, x]", "E0313", "[1, x]", "`z` is one number, its right side is a vector of 2"),
    ("alg z[2] = 0\nz + [1, 2, 3] = x", "E0313", "[1, 2, 3]", "equal sizes"),
    ("alg z = 0\nz = x > 1", "E0315", "x > 1", "a condition stands where a number"),
    ("alg z = 0\n0 = z - xx", "E0203", "xx", "did you mean `x`"),
    ("alg z = 0\nz = x\ny = z'", "E0323", "z'", "its derivative is not known"),
    ("alg z = 0\nz' = x", "E0323", "z'", "declare `state z` instead"),
    ("alg z = 0\nz = x\nz(0) = 2", "E0323", "z(0)", "its value at the start is computed"),
    ("alg z = 0\nz^2 = x\ny = z/z(0)", "E0334", "z(0)", "computed from the equations"),
    ("state v\nalg z = 0\nv^2 = x\nv' = z\ny = v(0)", "E0334", "v(0)", "say what it is: `v(0) = …`"),
    ("alg z = w\nalg w = z\n0 = z + w\n0 = z - w", "E0306", "z", "starts in a circle"),
    ("alg z = inf\nz = x", "E0310", "inf", "infinite"),
    ("alg z = NN(k)\nz = x", "E0506", "NN(k)", "a network cannot stand in the guess of `z`"),
    ("alg z = 0\nz = x\nat 5 { z := 1 }", "E0320", "z", "computed again after the event"),
    ("alg z(u) = 0", "E0906", "u", "a field"),
    ("alg z = 0\nz = x\nstate v = 1", "E0301", "v", "is declared `alg v = …`"),
    ("alg z[2] = 0\nz = x for i in 1..2", "E0331", "z", "does not say which entry"),
    # ---- of a later version
    ("noise W\ny = dW/dt", "E0902", "W", "stochastic"),
    ("random eta ~ normal(0, 1) by ID\ny = eta", "E0903", "eta", "random effect"),
    ("param q = 1 by ID", "E0903", "ID", "a value per group"),
    ("y = x(t - 2)", "E0904", "x(t - 2)", "delayed"),
    ("history x = 2", "E0904", "x", "history"),
    ("state y = 1\ncaputo(y, 0.5) = -y", "E0905", "caputo(y, 0.5)", "fractional"),
    ("grid z = 0 .. 1, cells=10\nstate u(z) = 0\nu' = 1", "E0906", "z", "spatial grid"),
    ("y = diff(x, k)", "E0906", "diff(x, k)", "over a grid"),
    ("dose x", "E0908", "x", "dosing record"),
    ("reaction A: x -> null, k", "E0909", "A", "reaction"),
    ('import "c.ode" as c\nuse m1 = c(k=2)\ny = m1.V', "E0910", "c", "module"),
    ("input I from data.I, interp=rectilinear\ny = dI/dt", "E0912", "dI/dt", "interp=hermite"),
    ("observe y ~ categorical(logits=x)", "E0913", "categorical", "the distribution `categorical`"),
    ("table f(u) = from data.f\ny = f(x)", "E0918", "data.f", "write the points"),
]  # fmt: skip


def mistakes(text: str) -> list[Diagnostic]:
    """The errors of a text, in order."""
    with pytest.raises(ModelError) as caught:
        declare(Source("m.ode", text))
    return [d for d in caught.value.diagnostics if d.severity == "error"]


def whole(lines: str) -> str:
    starts_itself = any(line.startswith("state x") for line in lines.split("\n"))
    return "model m\n" + (lines if starts_itself else BASE + lines) + "\n"


def words_of(d: Diagnostic) -> str:
    return " | ".join([d.message, d.hint, *(m for _, m in d.related)])


@pytest.mark.parametrize(("lines", "code", "under", "words"), ROWS, ids=[f"{row[1]} {row[0][:40]!r}" for row in ROWS])
def test_one_mistake_one_error(lines: str, code: str, under: str, words: str) -> None:
    text = whole(lines)
    found = mistakes(text)
    by_code = [d for d in found if d.code == code]
    assert by_code, f"expected {code}, found {[(d.code, d.message) for d in found]}"
    first = by_code[0]
    assert first.span is not None
    assert text[first.span.start : first.span.end] == under
    assert words in words_of(first)
    assert all(d.hint for d in found), "every error says how to mend it"
    several = {"E0906", "E0910"}  # two refused statements in the row
    assert len(found) == 1 or code in several, [(d.code, d.message) for d in found]


def test_there_are_at_least_eighty() -> None:
    assert len(ROWS) >= 80
    assert len({row[1] for row in ROWS}) >= 50
