;; CRC-32 as in zlib, gzip and PNG (ISO 3309; reflected polynomial edb88320).
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

  ;; One byte more, bit by bit. Begins with 0.
  (func $update (export "update") (param $crc i32) (param $byte i32) (result i32)
    (local $bits i32)
    (local.set $crc
      (i32.xor (i32.xor (local.get $crc) (i32.const -1)) (i32.and (local.get $byte) (i32.const 0xff))))
    (local.set $bits (i32.const 8))
    (loop $bit
      (local.set $crc
        (i32.xor
          (i32.shr_u (local.get $crc) (i32.const 1))
          (i32.and (i32.const 0xedb88320) (i32.sub (i32.const 0) (i32.and (local.get $crc) (i32.const 1))))))
      (br_if $bit (local.tee $bits (i32.sub (local.get $bits) (i32.const 1)))))
    (i32.xor (local.get $crc) (i32.const -1)))

  (func (export "crc32") (param $place i32) (param $length i32) (result i32)
    (local $crc i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $crc (call $update (local.get $crc) (i32.load8_u (local.get $place))))
        (local.set $place (i32.add (local.get $place) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (local.get $crc)))
