;; Base64 (RFC 4648, section 4), with padding, strict in what it reads.
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

  (data (i32.const 0) "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

  ;; A byte of the text, 0 behind its end.
  (func $byte (param $place i32) (param $end i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $place) (local.get $end))
      (then (i32.load8_u (local.get $place)))
      (else (i32.const 0))))

  ;; The letter for the six bits at $shift.
  (func $letter (param $bits i32) (param $shift i32) (result i32)
    (i32.load8_u (i32.and (i32.shr_u (local.get $bits) (local.get $shift)) (i32.const 63))))

  (func (export "encode") (param $place i32) (param $length i32) (result i64)
    (local $end i32) (local $begin i32) (local $to i32) (local $bits i32)
    (local.set $end (i32.add (local.get $place) (local.get $length)))
    (local.set $begin
      (call $alloc
        (i32.shl (i32.div_u (i32.add (local.get $length) (i32.const 2)) (i32.const 3)) (i32.const 2))))
    (local.set $to (local.get $begin))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $place) (local.get $end)))
        (local.set $bits
          (i32.or
            (i32.or
              (i32.shl (i32.load8_u (local.get $place)) (i32.const 16))
              (i32.shl (call $byte (i32.add (local.get $place) (i32.const 1)) (local.get $end)) (i32.const 8)))
            (call $byte (i32.add (local.get $place) (i32.const 2)) (local.get $end))))
        (i32.store8 (local.get $to) (call $letter (local.get $bits) (i32.const 18)))
        (i32.store8 offset=1 (local.get $to) (call $letter (local.get $bits) (i32.const 12)))
        (i32.store8 offset=2 (local.get $to)
          (select (call $letter (local.get $bits) (i32.const 6)) (i32.const 61)
            (i32.lt_u (i32.add (local.get $place) (i32.const 1)) (local.get $end))))
        (i32.store8 offset=3 (local.get $to)
          (select (call $letter (local.get $bits) (i32.const 0)) (i32.const 61)
            (i32.lt_u (i32.add (local.get $place) (i32.const 2)) (local.get $end))))
        (local.set $place (i32.add (local.get $place) (i32.const 3)))
        (local.set $to (i32.add (local.get $to) (i32.const 4)))
        (br $next)))
    (call $text (local.get $begin) (i32.sub (local.get $to) (local.get $begin))))

  ;; What a letter stands for; any other one breaks off.
  (func $value (param $letter i32) (result i32)
    (local $at i32)
    (loop $next
      (if (i32.eq (i32.load8_u (local.get $at)) (local.get $letter)) (then (return (local.get $at))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 64))))
    (unreachable))

  (func (export "decode") (param $place i32) (param $length i32) (result i64)
    (local $end i32) (local $begin i32) (local $to i32) (local $bits i32) (local $padding i32)
    (if (i32.and (local.get $length) (i32.const 3)) (then (unreachable)))
    (local.set $end (i32.add (local.get $place) (local.get $length)))
    (local.set $begin (call $alloc (i32.mul (i32.shr_u (local.get $length) (i32.const 2)) (i32.const 3))))
    (local.set $to (local.get $begin))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $place) (local.get $end)))
        ;; Padding stands only at the end of the last four.
        (if (i32.eq (i32.add (local.get $place) (i32.const 4)) (local.get $end))
          (then
            (if (i32.eq (i32.load8_u offset=3 (local.get $place)) (i32.const 61))
              (then
                (local.set $padding
                  (i32.add (i32.const 1) (i32.eq (i32.load8_u offset=2 (local.get $place)) (i32.const 61))))))))
        (local.set $bits
          (i32.or
            (i32.shl (call $value (i32.load8_u (local.get $place))) (i32.const 18))
            (i32.shl (call $value (i32.load8_u offset=1 (local.get $place))) (i32.const 12))))
        (if (i32.lt_u (local.get $padding) (i32.const 2))
          (then
            (local.set $bits
              (i32.or (local.get $bits)
                (i32.shl (call $value (i32.load8_u offset=2 (local.get $place))) (i32.const 6))))))
        (if (i32.eqz (local.get $padding))
          (then
            (local.set $bits
              (i32.or (local.get $bits) (call $value (i32.load8_u offset=3 (local.get $place)))))))
        ;; Bits that belong to no byte are 0: each text has one form.
        (if (i32.and (local.get $bits)
              (i32.sub (i32.shl (i32.const 1) (i32.shl (local.get $padding) (i32.const 3))) (i32.const 1)))
          (then (unreachable)))
        (i32.store8 (local.get $to) (i32.shr_u (local.get $bits) (i32.const 16)))
        (i32.store8 offset=1 (local.get $to) (i32.shr_u (local.get $bits) (i32.const 8)))
        (i32.store8 offset=2 (local.get $to) (local.get $bits))
        (local.set $place (i32.add (local.get $place) (i32.const 4)))
        (local.set $to (i32.add (local.get $to) (i32.const 3)))
        (br $next)))
    (call $text (local.get $begin)
      (i32.sub (i32.sub (local.get $to) (local.get $begin)) (local.get $padding)))))
