-- Texts in each language, without the table that the triggers keep: a fault of theirs shows here.
SELECT p.product_id::text, btrim(l.culture_id), t.description
  FROM production.product p
  JOIN production.product_model_product_description_culture l USING (product_model_id)
  JOIN production.product_description t USING (product_description_id)
 WHERE p.finished_goods_flag
 ORDER BY p.product_id, btrim(l.culture_id) COLLATE "C"
