;; Roman numerals from 1 to 3999.
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

  ;; A text as a result: its place in the upper half, its length in the lower one.
  (func $text (param $place i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $place)) (i64.const 32)) (i64.extend_i32_u (local.get $length))))

  ;; Each a value in two bytes, the lower first, and its letters; one letter has a 0 behind it.
  (data (i32.const 0)
    "\e8\03M\00" "\84\03CM" "\f4\01D\00" "\90\01CD" "\64\00C\00" "\5a\00XC" "\32\00L\00" "\28\00XL"
    "\0a\00X\00" "\09\00IX" "\05\00V\00" "\04\00IV" "\01\00I\00")

  ;; Breaks off for other numbers.
  (func $to_roman (export "to_roman") (param $number i32) (result i64)
    (local $begin i32) (local $to i32) (local $row i32)
    (if (i32.ge_u (i32.sub (local.get $number) (i32.const 1)) (i32.const 3999)) (then (unreachable)))
    ;; The longest is MMMDCCCLXXXVIII.
    (local.set $begin (call $alloc (i32.const 16)))
    (local.set $to (local.get $begin))
    (loop $next
      (if (i32.lt_u (local.get $number) (i32.load16_u (local.get $row)))
        (then (local.set $row (i32.add (local.get $row) (i32.const 4))))
        (else
          (local.set $number (i32.sub (local.get $number) (i32.load16_u (local.get $row))))
          (i32.store16 (local.get $to) (i32.load16_u offset=2 (local.get $row)))
          (local.set $to
            (i32.add (local.get $to)
              (i32.add (i32.const 1) (i32.ne (i32.load8_u offset=3 (local.get $row)) (i32.const 0)))))))
      (br_if $next (local.get $number)))
    (call $text (local.get $begin) (i32.sub (local.get $to) (local.get $begin))))

  ;; The value of a single letter, 0 for others.
  (func $value (param $letter i32) (result i32)
    (local $row i32)
    (loop $next
      (if (i32.eq (i32.load16_u offset=2 (local.get $row)) (local.get $letter))
        (then (return (i32.load16_u (local.get $row)))))
      (br_if $next (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 4))) (i32.const 52))))
    (i32.const 0))

  ;; 0 for what is no numeral in the usual form.
  (func (export "from_roman") (param $place i32) (param $length i32) (result i32)
    (local $at i32) (local $value i32) (local $before i32) (local $number i32) (local $again i64) (local $other i32)
    (if (i32.gt_u (local.get $length) (i32.const 15)) (then (return (i32.const 0))))
    ;; From the right: what is smaller than the letter behind it is taken away.
    (local.set $at (local.get $length))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $at)))
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (local.set $value (call $value (i32.load8_u (i32.add (local.get $place) (local.get $at)))))
        (if (i32.eqz (local.get $value)) (then (return (i32.const 0))))
        (local.set $number
          (select
            (i32.sub (local.get $number) (local.get $value))
            (i32.add (local.get $number) (local.get $value))
            (i32.lt_u (local.get $value) (local.get $before))))
        (local.set $before (local.get $value))
        (br $next)))
    (if (i32.ge_u (i32.sub (local.get $number) (i32.const 1)) (i32.const 3999)) (then (return (i32.const 0))))
    ;; Written again it must be the same.
    (local.set $again (call $to_roman (local.get $number)))
    (if (i32.ne (i32.wrap_i64 (local.get $again)) (local.get $length)) (then (return (i32.const 0))))
    (local.set $other (i32.wrap_i64 (i64.shr_u (local.get $again) (i64.const 32))))
    (local.set $at (i32.const 0))
    (loop $next
      (if (i32.ne
            (i32.load8_u (i32.add (local.get $place) (local.get $at)))
            (i32.load8_u (i32.add (local.get $other) (local.get $at))))
        (then (return (i32.const 0))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $length))))
    (local.get $number)))
