;; Adler-32 as in zlib (RFC 1950, section 8.2).
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

  (func (export "adler32") (param $place i32) (param $length i32) (result i32)
    (local $a i32) (local $b i32)
    (local.set $a (i32.const 1))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $a (i32.rem_u (i32.add (local.get $a) (i32.load8_u (local.get $place))) (i32.const 65521)))
        (local.set $b (i32.rem_u (i32.add (local.get $b) (local.get $a)) (i32.const 65521)))
        (local.set $place (i32.add (local.get $place) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (i32.or (i32.shl (local.get $b) (i32.const 16)) (local.get $a))))
