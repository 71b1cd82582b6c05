;; Divisors, primes and powers.
(module
  ;; Euclid's; of 0 and 0 it is 0. Numbers are taken without a sign.
  (func $gcd (export "gcd") (param $a i64) (param $b i64) (result i64)
    (local $rest i64)
    (block $done
      (loop $next
        (br_if $done (i64.eqz (local.get $b)))
        (local.set $rest (i64.rem_u (local.get $a) (local.get $b)))
        (local.set $a (local.get $b))
        (local.set $b (local.get $rest))
        (br $next)))
    (local.get $a))

  (func (export "lcm") (param $a i64) (param $b i64) (result i64)
    (if (i64.eqz (local.get $a)) (then (return (i64.const 0))))
    (i64.mul (i64.div_u (local.get $a) (call $gcd (local.get $a) (local.get $b))) (local.get $b)))

  ;; 1 for a prime, else 0.
  (func (export "is_prime") (param $number i32) (result i32)
    (local $wide i64) (local $divisor i64)
    (if (i32.lt_u (local.get $number) (i32.const 4))
      (then (return (i32.gt_u (local.get $number) (i32.const 1)))))
    (if (i32.eqz (i32.and (local.get $number) (i32.const 1))) (then (return (i32.const 0))))
    (local.set $wide (i64.extend_i32_u (local.get $number)))
    (local.set $divisor (i64.const 3))
    (block $done
      (loop $next
        (br_if $done (i64.gt_u (i64.mul (local.get $divisor) (local.get $divisor)) (local.get $wide)))
        (if (i64.eqz (i64.rem_u (local.get $wide) (local.get $divisor))) (then (return (i32.const 0))))
        (local.set $divisor (i64.add (local.get $divisor) (i64.const 2)))
        (br $next)))
    (i32.const 1))

  ;; base ^ exponent, divided by the modulus, the rest; the modulus is below 2^32 and not 0.
  (func (export "power_modulo") (param $base i64) (param $exponent i64) (param $modulus i64) (result i64)
    (local $power i64)
    (if (i64.ge_u (i64.sub (local.get $modulus) (i64.const 1)) (i64.const 0xffffffff)) (then (unreachable)))
    (local.set $power (i64.rem_u (i64.const 1) (local.get $modulus)))
    (local.set $base (i64.rem_u (local.get $base) (local.get $modulus)))
    (block $done
      (loop $next
        (br_if $done (i64.eqz (local.get $exponent)))
        (if (i32.wrap_i64 (i64.and (local.get $exponent) (i64.const 1)))
          (then
            (local.set $power (i64.rem_u (i64.mul (local.get $power) (local.get $base)) (local.get $modulus)))))
        (local.set $base (i64.rem_u (i64.mul (local.get $base) (local.get $base)) (local.get $modulus)))
        (local.set $exponent (i64.shr_u (local.get $exponent) (i64.const 1)))
        (br $next)))
    (local.get $power)))
