;; The check digit of card numbers (ISO/IEC 7812-1, annex B).
(module
  ;; A text comes in through alloc and memory. What alloc gave is never given back.
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 1024))
  (func $alloc (export "alloc") (param $length i32) (result i32)
    (local $place i32)
    (local.set $place (global.get $free))
    (global.set $free
      (i32.and (i32.add (i32.add (local.get $place) (local.get $length)) (i32.const 7)) (i32.const -8)))
    (if (i32.lt_u (global.get $free) (local.get $place)) (then (unreachable)))
    (loop $grow
      (if (i32.gt_u (global.get $free) (i32.shl (memory.size) (i32.const 16)))
        (then
          (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
          (br $grow))))
    (local.get $place))

  ;; The sum from the right, every second digit doubled; -1 for anything but digits, spaces and hyphens, or for fewer
  ;; digits than $least.
  (func $sum (param $place i32) (param $length i32) (param $doubled i32) (param $least i32) (result i32)
    (local $sum i32) (local $byte i32) (local $digits i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (local.set $byte (i32.load8_u (i32.add (local.get $place) (local.get $length))))
        (br_if $next (i32.eq (local.get $byte) (i32.const 32)))
        (br_if $next (i32.eq (local.get $byte) (i32.const 45)))
        (local.set $byte (i32.sub (local.get $byte) (i32.const 48)))
        (if (i32.ge_u (local.get $byte) (i32.const 10)) (then (return (i32.const -1))))
        (local.set $byte (i32.shl (local.get $byte) (local.get $doubled)))
        (if (i32.gt_u (local.get $byte) (i32.const 9))
          (then (local.set $byte (i32.sub (local.get $byte) (i32.const 9)))))
        (local.set $sum (i32.add (local.get $sum) (local.get $byte)))
        (local.set $doubled (i32.eqz (local.get $doubled)))
        (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
        (br $next)))
    (select (local.get $sum) (i32.const -1) (i32.ge_u (local.get $digits) (local.get $least))))

  ;; 1 when the last digit fits the others, else 0.
  (func (export "is_valid") (param $place i32) (param $length i32) (result i32)
    (local $sum i32)
    (local.set $sum (call $sum (local.get $place) (local.get $length) (i32.const 0) (i32.const 2)))
    (if (result i32) (i32.lt_s (local.get $sum) (i32.const 0))
      (then (i32.const 0))
      (else (i32.eqz (i32.rem_u (local.get $sum) (i32.const 10))))))

  ;; The digit to put behind these; -1 when they are none.
  (func (export "check_digit") (param $place i32) (param $length i32) (result i32)
    (local $sum i32)
    (local.set $sum (call $sum (local.get $place) (local.get $length) (i32.const 1) (i32.const 1)))
    (if (result i32) (i32.lt_s (local.get $sum) (i32.const 0))
      (then (i32.const -1))
      (else
        (i32.rem_u (i32.sub (i32.const 10) (i32.rem_u (local.get $sum) (i32.const 10))) (i32.const 10))))))
