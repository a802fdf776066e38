SELECT CAST(product_no AS CHAR), CAST(position AS CHAR), url, alt FROM product_image ORDER BY product_no, position
