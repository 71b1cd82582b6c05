;; UUIDs of version 4 (RFC 9562, section 5.4) from random bits that the caller brings.
(module
  (import "hex" "digit" (func $digit (param i32) (result i32)))
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

  ;; Six of the 128 bits are overwritten: the version and the variant.
  (func (export "v4") (param $high i64) (param $low i64) (result i64)
    (local $begin i32) (local $to i32) (local $at i32)
    (local.set $high (i64.or (i64.and (local.get $high) (i64.const 0xffffffffffff0fff)) (i64.const 0x4000)))
    (local.set $low
      (i64.or (i64.and (local.get $low) (i64.const 0x3fffffffffffffff)) (i64.const 0x8000000000000000)))
    (local.set $begin (call $alloc (i32.const 36)))
    (local.set $to (local.get $begin))
    (loop $next
      ;; Before digits 8, 12, 16 and 20.
      (if (i32.and (i32.shr_u (i32.const 0x111100) (local.get $at)) (i32.const 1))
        (then
          (i32.store8 (local.get $to) (i32.const 45))
          (local.set $to (i32.add (local.get $to) (i32.const 1)))))
      (i32.store8 (local.get $to)
        (call $digit
          (i32.wrap_i64
            (i64.shr_u
              (select (local.get $high) (local.get $low) (i32.lt_u (local.get $at) (i32.const 16)))
              (i64.extend_i32_u
                (i32.sub (i32.const 60) (i32.shl (i32.and (local.get $at) (i32.const 15)) (i32.const 2))))))))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 32))))
    (call $text (local.get $begin) (i32.const 36))))
