;; A text as a data: address (RFC 2397).
(module
  ;; It works in the memory of base64, so that texts need not be copied from one to the other.
  (memory (export "memory") (import "base64" "memory") 1)
  (func $alloc (export "alloc") (import "base64" "alloc") (param i32) (result i32))
  (func $encode (import "base64" "encode") (param i32 i32) (result i64))

  ;; A text as a result: its place in the upper half, its length in the lower one.
  (func $text (param $place i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $place)) (i64.const 32)) (i64.extend_i32_u (local.get $length))))

  (data $head "data:text/plain;charset=utf-8;base64,")

  (func (export "data_url") (param $place i32) (param $length i32) (result i64)
    (local $encoded i64) (local $begin i32)
    (local.set $encoded (call $encode (local.get $place) (local.get $length)))
    (local.set $length (i32.wrap_i64 (local.get $encoded)))
    (local.set $begin (call $alloc (i32.add (local.get $length) (i32.const 37))))
    (memory.init $head (local.get $begin) (i32.const 0) (i32.const 37))
    (memory.copy
      (i32.add (local.get $begin) (i32.const 37))
      (i32.wrap_i64 (i64.shr_u (local.get $encoded) (i64.const 32)))
      (local.get $length))
    (call $text (local.get $begin) (i32.add (local.get $length) (i32.const 37)))))
