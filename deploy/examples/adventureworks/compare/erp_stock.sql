SELECT i.product_id::text, i.location_id::text, (row_number() OVER (PARTITION BY i.product_id ORDER BY i.location_id) - 1)::text,
       i.quantity::text, nullif(i.shelf, 'N/A'), i.bin::text
  FROM production.product_inventory i JOIN production.product p USING (product_id)
 WHERE p.finished_goods_flag
 ORDER BY i.product_id, i.location_id
