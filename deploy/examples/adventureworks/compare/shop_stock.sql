SELECT CAST(product_id AS CHAR), CAST(location_id AS CHAR), CAST(position AS CHAR), CAST(quantity AS CHAR), shelf, CAST(bin AS CHAR)
  FROM product_stock ORDER BY product_id, location_id
