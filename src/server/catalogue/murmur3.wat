;; MurmurHash3, the 32-bit one for x86 (MurmurHash3_x86_32 of SMHasher).
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

  (func $mixed (param $block i32) (result i32)
    (i32.mul
      (i32.rotl (i32.mul (local.get $block) (i32.const 0xcc9e2d51)) (i32.const 15))
      (i32.const 0x1b873593)))

  (func (export "murmur3") (param $place i32) (param $length i32) (param $seed i32) (result i32)
    (local $hash i32) (local $end i32) (local $tail i32) (local $shift i32)
    (local.set $hash (local.get $seed))
    (local.set $end (i32.add (local.get $place) (i32.and (local.get $length) (i32.const -4))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $place) (local.get $end)))
        (local.set $hash (i32.xor (local.get $hash) (call $mixed (i32.load align=1 (local.get $place)))))
        (local.set $hash
          (i32.add (i32.mul (i32.rotl (local.get $hash) (i32.const 13)) (i32.const 5)) (i32.const 0xe6546b64)))
        (local.set $place (i32.add (local.get $place) (i32.const 4)))
        (br $next)))
    ;; Up to three bytes are left; the first is the lowest.
    (local.set $end (i32.add (local.get $place) (i32.and (local.get $length) (i32.const 3))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $place) (local.get $end)))
        (local.set $tail
          (i32.or (local.get $tail) (i32.shl (i32.load8_u (local.get $place)) (local.get $shift))))
        (local.set $shift (i32.add (local.get $shift) (i32.const 8)))
        (local.set $place (i32.add (local.get $place) (i32.const 1)))
        (br $next)))
    (local.set $hash (i32.xor (local.get $hash) (call $mixed (local.get $tail))))
    (local.set $hash (i32.xor (local.get $hash) (local.get $length)))
    (local.set $hash (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16))))
    (local.set $hash (i32.mul (local.get $hash) (i32.const 0x85ebca6b)))
    (local.set $hash (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 13))))
    (local.set $hash (i32.mul (local.get $hash) (i32.const 0xc2b2ae35)))
    (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16)))))
