;; Hexadecimal digits (RFC 4648, section 8), written small, read in either case.
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

  ;; The letter for the lowest four bits.
  (func $digit (export "digit") (param $bits i32) (result i32)
    (local.set $bits (i32.and (local.get $bits) (i32.const 15)))
    (i32.add (local.get $bits)
      (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $bits) (i32.const 10)))))

  (func (export "encode") (param $place i32) (param $length i32) (result i64)
    (local $begin i32) (local $at i32)
    (local.set $begin (call $alloc (i32.shl (local.get $length) (i32.const 1))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $at) (local.get $length)))
        (i32.store8 (i32.add (local.get $begin) (i32.shl (local.get $at) (i32.const 1)))
          (call $digit
            (i32.shr_u (i32.load8_u (i32.add (local.get $place) (local.get $at))) (i32.const 4))))
        (i32.store8 offset=1 (i32.add (local.get $begin) (i32.shl (local.get $at) (i32.const 1)))
          (call $digit (i32.load8_u (i32.add (local.get $place) (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (call $text (local.get $begin) (i32.shl (local.get $length) (i32.const 1))))

  ;; What a digit stands for; any other letter breaks off.
  (func $value (param $letter i32) (result i32)
    (if (i32.lt_u (i32.sub (local.get $letter) (i32.const 48)) (i32.const 10))
      (then (return (i32.sub (local.get $letter) (i32.const 48)))))
    (local.set $letter (i32.or (local.get $letter) (i32.const 32)))
    (if (i32.lt_u (i32.sub (local.get $letter) (i32.const 97)) (i32.const 6))
      (then (return (i32.sub (local.get $letter) (i32.const 87)))))
    (unreachable))

  (func (export "decode") (param $place i32) (param $length i32) (result i64)
    (local $begin i32) (local $at i32) (local $from i32)
    (if (i32.and (local.get $length) (i32.const 1)) (then (unreachable)))
    (local.set $length (i32.shr_u (local.get $length) (i32.const 1)))
    (local.set $begin (call $alloc (local.get $length)))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $at) (local.get $length)))
        (local.set $from (i32.add (local.get $place) (i32.shl (local.get $at) (i32.const 1))))
        (i32.store8 (i32.add (local.get $begin) (local.get $at))
          (i32.or
            (i32.shl (call $value (i32.load8_u (local.get $from))) (i32.const 4))
            (call $value (i32.load8_u offset=1 (local.get $from)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (call $text (local.get $begin) (local.get $length))))
