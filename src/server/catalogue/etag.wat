;; A weak entity tag (RFC 9110, section 8.8.3) from a text's length and CRC-32.
(module
  (import "crc32" "update" (func $update (param i32 i32) (result i32)))
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

  ;; Where the next letter of the tag goes.
  (global $to (mut i32) (i32.const 0))
  (func $put (param $letter i32)
    (i32.store8 (global.get $to) (local.get $letter))
    (global.set $to (i32.add (global.get $to) (i32.const 1))))

  ;; A number in hexadecimal digits, without zeros in front but at least $least digits.
  (func $number (param $number i32) (param $least i32)
    (local $shift i32)
    (local.set $shift (i32.const 28))
    (loop $next
      (if (i32.or
            (i32.lt_u (local.get $shift) (i32.shl (local.get $least) (i32.const 2)))
            (i32.ne (i32.shr_u (local.get $number) (local.get $shift)) (i32.const 0)))
        (then (call $put (call $digit (i32.shr_u (local.get $number) (local.get $shift))))))
      (br_if $next
        (i32.ge_s (local.tee $shift (i32.sub (local.get $shift) (i32.const 4))) (i32.const 0)))))

  (func (export "weak") (param $place i32) (param $length i32) (result i64)
    (local $begin i32) (local $crc i32) (local $at i32)
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $at) (local.get $length)))
        (local.set $crc
          (call $update (local.get $crc) (i32.load8_u (i32.add (local.get $place) (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    ;; W/"…-…" with at most eight digits each.
    (local.set $begin (call $alloc (i32.const 24)))
    (global.set $to (local.get $begin))
    (call $put (i32.const 87))
    (call $put (i32.const 47))
    (call $put (i32.const 34))
    (call $number (local.get $length) (i32.const 1))
    (call $put (i32.const 45))
    (call $number (local.get $crc) (i32.const 8))
    (call $put (i32.const 34))
    (call $text (local.get $begin) (i32.sub (global.get $to) (local.get $begin)))))
